"""With n_steps, data of a single step is what it is, repeated for all steps."""

import keras
import nengo
import numpy as np
import pytest
from nengo.exceptions import ValidationError

import nengo_dl
from tests.keras_model.test_held_inputs import images, repeated
from tests.network_specs import build
from tests.random_networks import draw_specs

N_ITEMS, N_STEPS = 4, 6


def make_sim(net, minibatch_size=2, unroll_simulation=1, **kwargs):
    sim = nengo_dl.Simulator(
        net,
        minibatch_size=minibatch_size,
        unroll_simulation=unroll_simulation,
        progress_bar=False,
        device="/cpu:0",
    )
    if kwargs:
        sim.compile(keras.optimizers.SGD(1e-3), **kwargs)
    return sim


def draw(sim, n_items=N_ITEMS):
    """Draw data with a single step for all input nodes."""
    rng = np.random.RandomState(0)
    nodes = sim.keras_model.input
    return {k: rng.normal(size=(n_items, 1, x.shape[2])) for k, x in nodes.items()}


@pytest.mark.parametrize("use_loop", [True, False])
def test_training_and_inference(use_loop):
    x = None
    results = []
    for hold in (True, False):
        net = images(jit_compile=False, use_loop=use_loop)
        unroll = 1 if use_loop else N_STEPS
        targets = {"loss": {"out": "mse"}, "metrics": {"out": "mae"}}
        with make_sim(net, unroll_simulation=unroll, **targets) as sim:
            x = draw(sim) if x is None else x
            n_steps, data = (N_STEPS, x) if hold else (None, repeated(x))
            y = {"out": np.ones((N_ITEMS, N_STEPS, 2))}
            history = sim.fit(
                data,
                y,
                n_steps=n_steps,
                shuffle=False,
                verbose=0,
                validation_data=(data, y),
            ).history
            results.append(
                {
                    **history,
                    **sim.evaluate(data, y, n_steps=n_steps, verbose=0),
                    **sim.predict(data, n_steps=n_steps, stateful=True, verbose=0),
                    "after": sim.predict_on_batch(
                        {k: v[:2] for k, v in data.items()}, n_steps=n_steps
                    )[sim.model.probes[0]],
                    **sim.keras_model.get_layer("nengo>network").parameters.slices(),
                }
            )
    for got, expected in zip(*(r.items() for r in results), strict=True):
        values = [getattr(v, "numpy", lambda v=v: v)() for v in (got[1], expected[1])]
        np.testing.assert_allclose(*values, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("spec", draw_specs(4, seed=3), ids=range(4))
def test_runs_of_random_networks(spec):
    """State goes on from run to run, and is that of the same data, repeated."""
    net = build(spec)
    with make_sim(net) as sim, make_sim(build(spec)) as other:
        x = draw(sim, n_items=2)
        data = {k: v for k, v in x.items() if v.shape[2] > 0}
        for n_steps in (1, 5, 3):
            sim.run_steps(n_steps, data=data or None)
            more = {k: np.repeat(v, n_steps, axis=1) for k, v in data.items()}
            other.run_steps(n_steps, data=more or None)
        for probe, same in zip(sim.model.probes, other.model.probes, strict=True):
            np.testing.assert_array_equal(sim.data[probe], other.data[same])


def test_other_lengths_are_refused():
    with make_sim(images(), loss={"out": "mse"}) as sim:
        x, y = draw(sim), {"out": np.ones((N_ITEMS, N_STEPS, 2))}
        x = {name: np.repeat(values, 2, axis=1) for name, values in x.items()}
        batch = {name: values[:2] for name, values in x.items()}
        for call in (
            lambda: sim.predict(x, n_steps=N_STEPS),
            lambda: sim.fit(x, y, n_steps=N_STEPS),
            lambda: sim.run_steps(N_STEPS, data=batch),
        ):
            with pytest.raises(ValidationError, match="must be the same everywhere"):
                call()


def test_targets_of_one_step_are_refused_for_all_steps():
    with make_sim(images(), loss={"out": "mse"}) as sim:
        y = {"out": np.ones((N_ITEMS, 1, 2))}
        with pytest.raises(ValidationError, match="6"):
            sim.fit(draw(sim), y, n_steps=N_STEPS, verbose=0)


def test_one_node_may_vary():
    with make_sim(images()) as sim:
        x = draw(sim)
        name = next(iter(x))
        x[name] = np.random.RandomState(1).normal(size=(N_ITEMS, N_STEPS, 36))
        got = sim.predict(x, n_steps=N_STEPS, verbose=0)
        for probe, expected in sim.predict(repeated(x), verbose=0).items():
            np.testing.assert_allclose(got[probe], expected, rtol=1e-9, atol=1e-9)


def test_time_may_be_the_name_of_a_node():
    with nengo.Network(seed=0) as net:
        node = nengo.Node([0.0], label="time")
        probe = nengo.Probe(node)
    with make_sim(net) as sim:
        x = np.ones((2, 1, 1))
        got = sim.predict({node: x}, n_steps=3, verbose=0)[probe]
    np.testing.assert_array_equal(got, np.ones((2, 3, 1)))
