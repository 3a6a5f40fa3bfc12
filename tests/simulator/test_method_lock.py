"""Calls from callbacks, from functions of the network, and from several threads."""

import os
import threading
import time

import keras
import nengo
import numpy as np
import pytest
from nengo.exceptions import SimulationError

import nengo_dl
from nengo_dl.simulator import method_lock
from tests.simulator.helpers import make_sim

ITEMS, STEPS = 8, 3
X = np.linspace(-1, 1, ITEMS * STEPS).reshape((ITEMS, STEPS, 1))


def make_net(function=None, learns=False):
    """Build a network with a state, weights to train, and (maybe) Python in it."""
    with nengo.Network(seed=0) as net:
        nengo_dl.configure_settings(jit_compile=False)
        stimulus = nengo.Node([0.5], label="stimulus")
        ens = nengo.Ensemble(8, 1, neuron_type=nengo.LIFRate())
        out = nengo.Node(size_in=1)
        nengo.Connection(stimulus, ens, synapse=None)
        rule = nengo.PES() if learns else None
        conn = nengo.Connection(ens, out, synapse=0.005, learning_rule_type=rule)
        if learns:
            nengo.Connection(out, conn.learning_rule, synapse=None)
        if function is not None:
            called = nengo.Node(function, size_in=1, size_out=1)
            nengo.Connection(out, called, synapse=None)
        nengo.Probe(out, label="out")
    return net


def compiled(net, **kwargs):
    sim = make_sim(net, **kwargs)
    sim.compile(keras.optimizers.SGD(0.1), loss="mse", metrics=["mae"])
    return sim


def fit(sim, **kwargs):
    return sim.fit(X, X, verbose=0, shuffle=False, **kwargs)


# what no call may do in the middle of another one
UNSAFE = {
    "run_steps": lambda sim: sim.run_steps(3),
    "run": lambda sim: sim.run(0.003),
    "step": lambda sim: sim.step(),
    "reset": lambda sim: sim.reset(),
    "clear_probes": lambda sim: sim.clear_probes(),
    "fit": fit,
    "compile": lambda sim: sim.compile("sgd", loss="mae"),
    "check_gradients": lambda sim: sim.check_gradients(),
    "predict stateful": lambda sim: sim.predict(X, stateful=True, verbose=0),
    "close": lambda sim: sim.close(),
}
# what callbacks may do
SAFE = {
    "predict": lambda sim: sim.predict(X, verbose=0),
    "predict_on_batch": lambda sim: sim.predict_on_batch(X[: sim.minibatch_size]),
    "evaluate": lambda sim: sim.evaluate(X, X, verbose=0),
    "get_nengo_params": lambda sim: sim.get_nengo_params(
        sim.model.toplevel.all_ensembles
    ),
}


class Calling(keras.callbacks.Callback):
    """Calls methods at the end of all batches and epochs; keeps errors and results."""

    def __init__(self, sim, calls):
        super().__init__()
        self.sim, self.calls, self.errors, self.results = sim, calls, [], []

    def act(self, *args, **kwargs):
        for call in self.calls:
            try:
                self.results.append(call(self.sim))
            except SimulationError as error:
                self.errors.append(str(error))

    on_epoch_end = on_train_batch_end = on_test_batch_end = on_predict_batch_end = act


def history_and_weights(sim, stateful, callbacks=()):
    history = fit(sim, epochs=2, stateful=stateful, callbacks=list(callbacks)).history
    return [*history.values(), *sim.keras_model.get_weights(), sim.n_steps]


@pytest.mark.parametrize("stateful", [False, True])
def test_callbacks_leave_the_training_as_it_is(stateful, tmp_path):
    safe = dict(SAFE, save=lambda sim: sim.save_params(tmp_path / "file"))
    safe["load"] = lambda sim: sim.load_params(tmp_path / "file")
    net = make_net()
    with compiled(net, minibatch_size=4) as sim:
        expected = history_and_weights(sim, stateful)
    with compiled(net, minibatch_size=4) as sim:
        sim.run_steps(2)
        sim.reset()
        callback = Calling(sim, [*safe.values(), *UNSAFE.values()])
        actual = history_and_weights(sim, stateful, [callback])
        n_calls = 2 * (ITEMS // 4 + 1)
        assert len(callback.results) == n_calls * len(safe)
        assert len(callback.errors) == n_calls * len(UNSAFE)
        for error in callback.errors:
            assert "is running, in this thread" in error and "in callbacks, pr" in error
        sim.run_steps(2)
        assert sim.n_steps == 2 + (2 * ITEMS // 4 * STEPS if stateful else 0)
    for one, other in zip(actual, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-6)


@pytest.mark.parametrize(
    "method",
    [
        lambda sim, **kw: sim.predict(X, stateful=True, verbose=0, **kw),
        lambda sim, **kw: sim.evaluate(X, X, stateful=True, verbose=0, **kw),
    ],
)
def test_callbacks_of_other_methods(method):
    with compiled(make_net(), minibatch_size=4) as sim:
        expected = list(method(sim).values())
        sim.reset()
        callback = Calling(sim, [*SAFE.values(), *UNSAFE.values()])
        actual = list(method(sim, callbacks=[callback]).values())
        assert len(callback.errors) == ITEMS // 4 * len(UNSAFE)
        assert sim.n_steps == ITEMS // 4 * STEPS
    np.testing.assert_array_equal(actual, expected)


RUNS = {
    "run_steps": lambda sim: sim.run_steps(4),
    "predict": lambda sim: sim.predict(X, verbose=0),
    "evaluate": lambda sim: sim.evaluate(X, X, verbose=0),
    "fit": fit,
}


@pytest.mark.parametrize("run", RUNS)
def test_functions_of_the_network(run):
    """Neither TensorFlow's threads nor Python's make a difference."""
    errors, box = [], []

    def function(t, x):
        if box and not errors:
            for call in {**UNSAFE, **SAFE}.values():
                try:
                    call(box[0])
                    errors.append("no error")
                except SimulationError as error:
                    errors.append(str(error))
        return x

    net = make_net(function)
    with compiled(net, minibatch_size=2) as sim:
        RUNS[run](sim)
        expected = [np.array(sim.data[p]) for p in net.probes], sim.n_steps
        sim.reset()
        box.append(sim)
        RUNS[run](sim)
        actual = [np.array(sim.data[p]) for p in net.probes], sim.n_steps
        box.clear()
        sim.run_steps(1)
    unsafe = len(UNSAFE) + len(SAFE) - 1  # parameters can be read at any time
    assert sum(f"{run} is running" in error for error in errors) == unsafe
    np.testing.assert_array_equal(actual[0], expected[0])
    assert actual[1] == expected[1]


def test_functions_of_time():
    box, errors = [], []

    def function(t):
        if box and not errors:
            for call in (UNSAFE["reset"], SAFE["predict"]):
                with pytest.raises(SimulationError) as caught:
                    call(box[0])
                errors.append(str(caught.value))
        return t

    with nengo.Network() as net:
        nengo_dl.configure_settings(jit_compile=False)
        nengo.Probe(nengo.Node(function))
    for run in (lambda s: s.run_steps(3), lambda s: s.predict(n_steps=3, verbose=0)):
        with make_sim(net) as sim:
            box[:], errors[:] = [sim], []
            run(sim)
            assert len(errors) == 2 and all("is running" in error for error in errors)
            box.clear()
            sim.run_steps(1)


def in_threads(function, number=4):
    """Call a function in several threads at once; return results and errors."""
    results, barrier = [], threading.Barrier(number)

    def call():
        barrier.wait()
        try:
            results.append(function())
        except SimulationError as error:
            results.append(error)

    threads = [threading.Thread(target=call) for _ in range(number)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive()
    return results


@pytest.mark.parametrize("kind", ["plain", "calls Python", "learns", "makes inputs"])
def test_predictions_in_threads(kind):
    function = (lambda t, x: x) if kind == "calls Python" else None
    net = make_net(function, learns=kind == "learns")
    x = None if kind == "makes inputs" else X
    if kind == "makes inputs":
        with net:
            net.nodes[0].output = nengo.processes.WhiteSignal(1, 5, seed=0)
    n_steps = STEPS if x is None else None
    with make_sim(net, minibatch_size=2) as sim:
        (first,) = sim.predict(x, n_steps, verbose=0).values()
        sim.reset()
        results = in_threads(lambda: [sim.predict(x, n_steps, verbose=0) for _ in "ab"])
        sim.run_steps(2)
        assert sim.n_steps == 2
    outputs = [list(one.values())[0] for two in results for one in two]
    assert len(outputs) == 8 and all(y.shape == first.shape for y in outputs)
    if kind in ("plain", "calls Python"):
        for y in outputs:
            np.testing.assert_array_equal(y, first)


def test_runs_in_threads():
    with compiled(make_net(lambda t, x: time.sleep(0.001) or x)) as sim:
        sim.run_steps(1)
        sim.reset()
        results = in_threads(lambda: [sim.run_steps(5) for _ in range(3)])
        refused = [r for r in results if isinstance(r, SimulationError)]
        assert refused and all("in another thread" in str(r) for r in refused)
        done = sim.n_steps
        assert done >= 15 and done % 5 == 0
        assert [len(sim.data[p]) for p in sim.model.probes] == [done]


def test_other_threads_while_a_model_is_trained(tmp_path):
    functions = {**UNSAFE, **SAFE, "save": lambda sim: sim.save_params(tmp_path / "f")}
    functions["load"] = lambda sim: sim.load_params(tmp_path / "f")
    del functions["get_nengo_params"]  # reads what there is
    found = {}

    class Threads(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            for name, function in functions.items():
                found[name] = in_threads(lambda f=function: f(sim), 1)

    with compiled(make_net(), minibatch_size=8) as sim:
        fit(sim, callbacks=[Threads()])
        assert sim.n_steps == 0
    assert list(found) == list(functions)
    for (error,) in found.values():
        assert "fit is running, in another thread" in str(error)
    assert not os.listdir(tmp_path)


def test_a_function_that_waits_for_a_thread(monkeypatch):
    """There is an error after a while, and no deadlock."""
    monkeypatch.setattr(method_lock, "PATIENCE", 0.3)
    found, box = [], []

    def function(t, x):
        if box and not found:
            found.extend(in_threads(lambda: box[0].predict(X, verbose=0), 1))
        return x

    with make_sim(make_net(function), minibatch_size=2) as sim:
        box.append(sim)
        sim.predict(X, verbose=0)
        assert len(found) == 1 and "predict is running, in another" in str(found[0])
        sim.run_steps(1)


def test_data_that_is_read_during_a_run():
    """What has been recorded stays, whoever looks at it in the meantime."""
    net = make_net(lambda t, x: x)
    with make_sim(net) as sim:
        done = threading.Event()

        def read():
            while not done.is_set():
                assert len(sim.data[net.probes[0]]) <= 400

        reader = threading.Thread(target=read)
        reader.start()
        try:
            for _ in range(40):
                sim.run_steps(10)
        finally:
            done.set()
            reader.join()
        assert sim.n_steps == len(sim.data[net.probes[0]]) == 400


def test_ctrl_c_leaves_a_usable_simulator():
    def function(t, x):
        if t < 0.0015 and box:
            raise KeyboardInterrupt
        return x

    box = [True]
    with compiled(make_net(function), minibatch_size=2) as sim:
        for run in RUNS.values():
            with pytest.raises(KeyboardInterrupt):
                run(sim)
        box.clear()
        sim.run_steps(2)
        sim.predict(X, verbose=0)
        assert sim.n_steps == 2


def test_what_callbacks_save_has_the_steps_of_its_state(tmp_path):
    path = tmp_path / "file"
    saved = []

    def save(batch, logs):
        sim.save_params(path, include_state=True)
        with np.load(f"{path}.npz") as file:
            saved.append(int(file["state/n_steps"]))

    with compiled(make_net(), minibatch_size=4) as sim:
        callback = keras.callbacks.LambdaCallback(on_train_batch_end=save)
        fit(sim, stateful=True, callbacks=[callback])
    assert saved == [STEPS, 2 * STEPS]
