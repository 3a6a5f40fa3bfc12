"""What users do wrong, and what they are told: where, what is expected, what to do.

Each row has what someone does with a `World`, the error or warning, and words of its
message.
"""

import pickle
import warnings

import keras
import nengo
import numpy as np
import pytest
import tensorflow as tf
from nengo import exceptions
from nengo.exceptions import (
    BuildError,
    NengoWarning,
    NetworkContextError,
    ReadonlyError,
    SimulationError,
    SimulatorClosed,
    ValidationError,
)

import nengo_dl
from nengo_dl import dists, losses, neurons, plots, surrogates
from tests.mistakes import World

MISTAKES = [
    # Simulator
    (
        lambda w: w.simulator("net"),
        ValidationError,
        (
            "Simulator.network",
            "got 'net' of type str",
            "Pass the object that holds the who",
        ),
    ),
    (
        lambda w: w.simulator(None),
        ValidationError,
        ("Simulator.network", "got None", "Pass one, or a `model` that has be"),
    ),
    (
        lambda w: w.simulator(nengo.Network),
        ValidationError,
        (
            "Simulator.network",
            "got <class 'nengo.network.Network'> of type type)",
            "Pass the object that holds the who",
        ),
    ),
    (
        lambda w: w.simulator(w.net.ens),
        ValidationError,
        (
            "Simulator.network",
            "got <Ensemble 'ens'",
            "Pass the object that holds the who",
        ),
    ),
    (
        lambda w: w.simulator(w.model),
        ValidationError,
        (
            "Simulator.network",
            "got <Functional name=functional",
            "Pass the object that holds the who",
        ),
    ),
    (
        lambda w: w.simulator(w.net, dt="0.001"),
        ValidationError,
        ("Simulator.dt", "got '0.001'", "Leave it out for steps of 0.001 s"),
    ),
    (
        lambda w: w.simulator(w.net, dt=0),
        ValidationError,
        ("Simulator.dt", "got 0", "Leave it out for steps of 0.001 s"),
    ),
    (
        lambda w: w.simulator(w.net, dt=-0.001),
        ValidationError,
        ("Simulator.dt", "got -0.001", "Leave it out for steps of 0.001 s"),
    ),
    (
        lambda w: w.simulator(w.net, dt=True),
        ValidationError,
        ("Simulator.dt", "got True", "Leave it out for steps of 0.001 s"),
    ),
    (
        lambda w: w.simulator(w.net, dt=1e300),
        ValidationError,
        ("Simulator.dt", "got 1e+300", "Choose steps of about a millisecon"),
    ),
    (
        lambda w: w.simulator(w.net, dt=np.nan),
        ValidationError,
        ("Simulator.dt", "got nan", "Leave it out for steps of 0.001 s"),
    ),
    (
        lambda w: w.simulator(w.net, seed=-1),
        ValidationError,
        ("Simulator.seed", "got -1", "Leave it out to use that of the ne"),
    ),
    (
        lambda w: w.simulator(w.net, seed="one"),
        ValidationError,
        ("Simulator.seed", "got 'one'", "Leave it out to use that of the ne"),
    ),
    (
        lambda w: w.simulator(w.net, seed=1.5),
        ValidationError,
        ("Simulator.seed", "got 1.5", "Leave it out to use that of the ne"),
    ),
    (
        lambda w: w.simulator(w.net, minibatch_size=0),
        ValidationError,
        ("Simulator.minibatch_size", "got 0", "Leave it out for the default"),
    ),
    (
        lambda w: w.simulator(w.net, minibatch_size=2.5),
        ValidationError,
        ("Simulator.minibatch_size", "got 2.5", "Leave it out for the default"),
    ),
    (
        lambda w: w.simulator(w.net, minibatch_size="2"),
        ValidationError,
        ("Simulator.minibatch_size", "got '2'", "Leave it out for the default"),
    ),
    (
        lambda w: nengo_dl.Simulator(w.net, device="/gpu:7"),
        ValidationError,
        ("Simulator.device", "got '/gpu:7'", "Choose one of those that are visib"),
    ),
    (
        lambda w: nengo_dl.Simulator(w.net, device="gpu"),
        ValidationError,
        ("Simulator.device", "got 'gpu'", "Choose one of those that are visib"),
    ),
    (
        lambda w: nengo_dl.Simulator(w.net, device=3),
        ValidationError,
        ("Simulator.device", "got 3", "Choose one of those that are visib"),
    ),
    (
        lambda w: w.simulator(w.net, unroll_simulation=0),
        ValidationError,
        ("Simulator.unroll_simulation", "got 0", "Leave it out for the default"),
    ),
    (
        lambda w: w.simulator(w.net, unroll_simulation=1.5),
        ValidationError,
        ("Simulator.unroll_simulation", "got 1.5", "Leave it out for the default"),
    ),
    (
        lambda w: w.simulator(w.net, unroll_simulation=10**6),
        ValidationError,
        ("Simulator.unroll_simulation", "got 1000000", "Leave it out for the default"),
    ),
    (
        lambda w: nengo_dl.Simulator(w.net, device="/cpu:0", progress_bar="yes"),
        ValidationError,
        ("progress_bar", "got 'yes'", "Pass progress_bar=False to show no"),
    ),
    (
        lambda w: w.simulator(w.net, model="model"),
        ValidationError,
        (
            "Simulator.model",
            "got 'model' of type str",
            "Pass the object that holds the who",
        ),
    ),
    (
        lambda w: w.simulator(w.net, model=nengo.builder.Model(dt=0.01)),
        NengoWarning,
        ("made with dt=0.01", "is used instead of dt=0.001"),
    ),
    (
        lambda w: w.simulator(None, model=nengo.builder.Model()),
        UserWarning,
        ("has no top-level network", "no parameter is trainable"),
    ),
    (
        lambda w: setattr(w.sim, "dt", 0.1),
        ReadonlyError,
        ("Simulator.dt", "is read-only", "Pass it to Simulator"),
    ),
    (
        lambda w: setattr(w.sim, "seed", 1),
        ReadonlyError,
        ("Simulator.seed", "is read-only", "to `reset`"),
    ),
    (
        lambda w: pickle.dumps(w.sim),
        NotImplementedError,
        (
            "A Simulator of nengo_dl cannot be pickled",
            "Pickle the network and make a new",
        ),
    ),
    (
        lambda w: w.sim.get_name(w.net.ens),
        ValidationError,
        ("Simulator.get_name", "got <Ensemble 'ens'", "The names are 'stim', 'p'"),
    ),
    (
        lambda w: w.sim.get_name("stim"),
        ValidationError,
        ("Simulator.get_name", "got 'stim'", "The names are 'stim', 'p'"),
    ),
    (
        lambda w: w.sim.get_name(w.other.b),
        ValidationError,
        ("Simulator.get_name", "got <Node 'b'", "The names are 'stim', 'p'"),
    ),
    (
        lambda w: w.sim.data["ens"],
        ValidationError,
        ("Simulator.data", "got str", "Pass an object of the network that"),
    ),
    (
        lambda w: w.sim.data[w.other.b],
        ValidationError,
        ("Simulator.data", "got Node", "Pass an object of the network that"),
    ),
    (
        lambda w: w.sim.data[3],
        ValidationError,
        ("Simulator.data", "got int", "Pass an object of the network that"),
    ),
    (
        lambda w: w.sim.trange(sample_every=-1),
        ValidationError,
        ("Simulator.sample_every", "got -1", "Pass the `sample_every` of the pro"),
    ),
    (
        lambda w: w.sim.trange(sample_every="x"),
        ValidationError,
        ("Simulator.sample_every", "got 'x'", "Pass the `sample_every` of the pro"),
    ),
    (
        lambda w: w.sim.trange(dt=0.1, sample_every=0.1),
        ValidationError,
        ("Simulator.dt", "got 0.1 and 0.1", "Use `sample_every`"),
    ),
    (
        lambda w: w.sim.reset(seed="one"),
        ValidationError,
        ("Simulator.seed", "got 'one'", "Leave it out to use that of the ne"),
    ),
    (
        lambda w: w.sim.train(w.x),
        SimulationError,
        ("Simulator.train was removed", "call Simulator.fit"),
    ),
    (
        lambda w: w.sim.loss(w.x),
        SimulationError,
        ("Simulator.loss was removed", "call Simulator.evaluate"),
    ),
    (
        lambda w: w.sim.soft_reset(),
        DeprecationWarning,
        ("Simulator.soft_reset is deprecated", "Use reset("),
    ),
    # running
    (
        lambda w: w.delayed.run_steps(1, stateful=False),
        UserWarning,
        ("One step with stateful=False", "Run more steps, or set its synapse to None"),
    ),
    (
        lambda w: w.sim.run("1"),
        ValidationError,
        ("time_in_seconds", "got '1'", "A simulation runs forward only; us"),
    ),
    (
        lambda w: w.sim.run(True),
        ValidationError,
        ("time_in_seconds", "got True", "A simulation runs forward only; us"),
    ),
    (
        lambda w: w.sim.run(-1),
        ValidationError,
        ("time_in_seconds", "got -1", "A simulation runs forward only; us"),
    ),
    (
        lambda w: w.sim.run(np.nan),
        ValidationError,
        ("time_in_seconds", "got nan", "A simulation runs forward only; us"),
    ),
    (
        lambda w: w.sim.run(np.inf),
        ValidationError,
        ("time_in_seconds", "got inf", "A simulation runs forward only; us"),
    ),
    (
        lambda w: w.sim.run(1e300),
        ValidationError,
        ("time_in_seconds", "got 1e+300 s", "Pass seconds; for a number of step"),
    ),
    (lambda w: w.sim.run(0), UserWarning, ("time_in_seconds=0", "nothing is run")),
    (
        lambda w: w.sim.run([1]),
        ValidationError,
        ("time_in_seconds", "got [1]", "A simulation runs forward only; us"),
    ),
    (
        lambda w: w.sim.run_steps(1.5),
        ValidationError,
        ("Simulator.n_steps", "got 1.5", "Use `run` for a time, and `reset`"),
    ),
    (
        lambda w: w.sim.run_steps(-1),
        ValidationError,
        ("Simulator.n_steps", "got -1", "Use `run` for a time, and `reset`"),
    ),
    (
        lambda w: w.sim.run_steps("5"),
        ValidationError,
        ("Simulator.n_steps", "got '5'", "Use `run` for a time, and `reset`"),
    ),
    (
        lambda w: w.sim.run_steps(2**31),
        ValidationError,
        ("Simulator.n_steps", "got 2147483648", "Use `run` for a time, and `reset`"),
    ),
    (lambda w: w.sim.run_steps(0), UserWarning, ("n_steps=0", "nothing is run")),
    (
        lambda w: w.sim.run_steps(3, data=np.ones((3, 3, 1))),
        ValidationError,
        ("Data", "got 3 for 'stim'", "Pass other data, or make the Simul"),
    ),
    (
        lambda w: w.sim.run_steps(5, data=w.x),
        ValidationError,
        (
            "n_steps",
            "got 5 for the n_steps argument, 3 for stim",
            "Give all data the number of time s",
        ),
    ),
    (
        lambda w: w.sim.run_steps(3, data={"stimm": w.x}),
        ValidationError,
        ("Data", "got 'stimm'", "Did you mean 'stim'? The input nod"),
    ),
    (
        lambda w: w.closed.run(1),
        SimulatorClosed,
        ("Simulator.run", "Make a new Simulator, or call it i"),
    ),
    (
        lambda w: w.closed.fit(w.x, w.x),
        SimulatorClosed,
        ("Simulator.fit", "Make a new Simulator, or call it i"),
    ),
    (
        lambda w: w.closed.keras_model,
        SimulatorClosed,
        ("Simulator.keras_model", "Make a new Simulator, or call it i"),
    ),
    (
        lambda w: w.closed.save_params("x"),
        SimulatorClosed,
        ("Simulator.save_params", "Make a new Simulator, or call it i"),
    ),
    (
        lambda w: w.closed.reset(),
        SimulatorClosed,
        ("Simulator.reset", "Make a new Simulator, or call it i"),
    ),
    (
        lambda w: w.simulator(w.chain(use_loop=False), unroll_simulation=2).run_steps(
            3
        ),
        ValidationError,
        ("n_steps", "got 3", "Pass that number, or make the Simu"),
    ),
    (
        lambda w: w.run_function(lambda t: None),
        SimulationError,
        (
            "Node 'mine'",
            "got None of type NoneType at t=0.001",
            "Return numbers for every time t",
        ),
    ),
    (
        lambda w: w.run_function(lambda t: "a"),
        SimulationError,
        (
            "Node 'mine'",
            "got 'a' of type str at t=0.001",
            "Return numbers for every time t",
        ),
    ),
    (
        lambda w: w.run_function(lambda t: np.nan),
        SimulationError,
        ("Node 'mine'", "got [nan]", "Look for divisions by zero, overfl"),
    ),
    (
        lambda w: w.run_function(lambda t: [1.0, 2.0]),
        SimulationError,
        (
            "Node 'mine'",
            "got [1.0, 2.0] of type list at t=0.001",
            "Return an array of shape (1,)",
        ),
    ),
    (
        lambda w: w.run_function(lambda t: 1 / 0),
        SimulationError,
        (
            "Node 'mine'",
            "got ZeroDivisionError: division by zero at t=0.00",
            "Correct the function; the error it",
        ),
    ),
    (
        lambda w: w.run_function(lambda t, x: None),
        SimulationError,
        ("<Node 'mine'>", "got None", "Return a value on every path of th"),
    ),
    (
        lambda w: w.run_function(lambda t, x: np.inf),
        SimulationError,
        (
            "<Node 'mine'>",
            "got the non-finite value inf",
            "Check for divisions by zero and ov",
        ),
    ),
    (
        lambda w: w.run_function(lambda t, x: [1.0, 2.0]),
        SimulationError,
        (
            "<Node 'mine'>",
            "got [1.0, 2.0] of type list, an invalid type or s",
            "Return an array, or a number for a",
        ),
    ),
    (
        lambda w: w.run_function(lambda t, x: 1 / 0),
        SimulationError,
        ("<Node 'mine'>", "The traceback above is that of the"),
    ),
    # data
    (
        lambda w: w.sim.predict(np.ones((2, 3))),
        ValidationError,
        ("Data for 'stim'", "got (2, 3", "Add an axis for the single dimensi"),
    ),
    (
        lambda w: w.sim.predict(np.ones((2, 1))),
        ValidationError,
        ("Data for 'stim'", "got (2, 1", "Add a time axis: x[:, None, :], or"),
    ),
    (
        lambda w: w.sim.predict(np.ones(3)),
        ValidationError,
        ("Data for 'stim'", "got (3,", "The axes are items, time steps and"),
    ),
    (
        lambda w: w.sim.predict(3),
        ValidationError,
        ("Data", "got int", "Pass a dict from input nodes, or t"),
    ),
    (
        lambda w: w.sim.predict("x"),
        ValidationError,
        ("Data", "got str", "Pass a dict from input nodes, or t"),
    ),
    (
        lambda w: w.sim.predict(np.ones((2, 3, 4))),
        ValidationError,
        ("Data for 'stim'", "got (2, 3, 4", "The last axis must be the node's s"),
    ),
    (
        lambda w: w.sim.predict(np.ones((2, 3, 1, 1))),
        ValidationError,
        ("Data for 'stim'", "got (2, 3, 1, 1", "Flatten each step: x.reshape(minib"),
    ),
    (
        lambda w: w.sim.predict({"stimm": w.x}),
        ValidationError,
        ("Data", "got 'stimm'", "Did you mean 'stim'? The input nod"),
    ),
    (
        lambda w: w.sim.predict({w.other.b: w.x}),
        ValidationError,
        ("Data", "got <Node 'b'> of type Node", "The input nodes of this network ar"),
    ),
    (
        lambda w: w.sim.predict({w.net.ens: w.x}),
        ValidationError,
        (
            "Data",
            "got <Ensemble 'ens'> of type Ensemble",
            "The input nodes of this network ar",
        ),
    ),
    (
        lambda w: w.sim.predict({w.net.probe: w.x}),
        ValidationError,
        (
            "Data",
            "got <Probe \"p\" of 'output' of <Node 'out'>> of ty",
            "The input nodes of this network ar",
        ),
    ),
    (
        lambda w: w.sim.predict({3: w.x}),
        ValidationError,
        ("Data", "got 3 of type int", "The input nodes of this network ar"),
    ),
    (
        lambda w: w.sim.predict({"stim": w.x, w.net.stim: w.x}),
        ValidationError,
        (
            "Data",
            "got both the input node and its name 'stim' as ke",
            "Remove one of the two",
        ),
    ),
    (
        lambda w: w.sim.predict(np.full((2, 3, 1), np.nan)),
        ValidationError,
        (
            "Data for 'stim'",
            "got nan at item 0, step 0, dimension 0",
            "Remove or replace such values, e.g",
        ),
    ),
    (
        lambda w: w.sim.predict(np.full((2, 3, 1), np.inf)),
        ValidationError,
        (
            "Data for 'stim'",
            "got inf at item 0, step 0, dimension 0",
            "Remove or replace such values, e.g",
        ),
    ),
    (
        lambda w: w.sim.predict(np.full((2, 3, 1), "a")),
        ValidationError,
        ("Data for 'stim'", "got dtype <U1", "Convert it with np.asarray(x, dtyp"),
    ),
    (
        lambda w: w.sim.predict(np.full((2, 3, 1), 1j)),
        ValidationError,
        (
            "Data for 'stim'",
            "got dtype complex128",
            "Convert it with np.asarray(x, dtyp",
        ),
    ),
    (
        lambda w: w.sim.predict(np.full((2, 3, 1), None)),
        ValidationError,
        ("Data for 'stim'", "got dtype object", "Convert it with np.asarray(x, dtyp"),
    ),
    (
        lambda w: w.sim.predict({"stim": [[[1.0]], [[1.0], [2.0]]]}),
        ValidationError,
        ("Data for 'stim'", "got list", "Convert it with np.asarray(x, dtyp"),
    ),
    (
        lambda w: w.sim.predict(w.x[:1]),
        ValidationError,
        ("Data", "got 1 for 'stim'", "Pass other data, or make the Simul"),
    ),
    (
        lambda w: w.sim.predict(w.x[:0]),
        ValidationError,
        ("Data", "got 0 for 'stim'", "Pass other data, or make the Simul"),
    ),
    (
        lambda w: w.sim.predict(w.x[:, :0]),
        ValidationError,
        ("n_steps", "got 0", "Give data of at least one time ste"),
    ),
    (
        lambda w: w.sim.predict(),
        ValidationError,
        ("n_steps", "got None", "Pass n_steps, or data for an input"),
    ),
    (
        lambda w: w.sim.predict(w.x, n_steps=4),
        ValidationError,
        (
            "n_steps",
            "got 4 for the n_steps argument, 3 for stim",
            "Give all data the number of time s",
        ),
    ),
    (
        lambda w: w.sim.predict(n_steps="3"),
        ValidationError,
        ("n_steps", "got '3'", "Round it to whole steps"),
    ),
    (
        lambda w: w.sim.predict(n_steps=-1),
        ValidationError,
        ("n_steps", "got -1", "A simulation runs forward only"),
    ),
    (
        lambda w: w.sim.predict(n_steps=0),
        ValidationError,
        ("n_steps", "got 0", "Give data of at least one time ste"),
    ),
    (
        lambda w: w.sim.predict(n_steps=2.5),
        ValidationError,
        ("n_steps", "got 2.5", "Round it to whole steps"),
    ),
    (
        lambda w: w.sim.predict({"stim": w.x, "n_steps": [[4], [4]]}),
        ValidationError,
        (
            "Data for 'n_steps'",
            "got 4, where all else has 3 steps",
            "Leave it out: the data's shape say",
        ),
    ),
    (
        lambda w: w.sim.predict({"stim": w.x, "n_steps": 3}),
        ValidationError,
        ("Data for 'n_steps'", "got shape ()", "Leave it out: the data's shape say"),
    ),
    (
        lambda w: w.two.predict({"b": w.x, "c": np.ones((2, 4, 2))}),
        ValidationError,
        ("n_steps", "got 3 for b, 4 for c", "Give all data the number of time s"),
    ),
    (
        lambda w: w.two.predict({"b": w.x, "c": np.ones((4, 3, 2))}),
        ValidationError,
        ("Data", "got 2 for 'b', 4 for 'c'", "Pass other data, or make the Simul"),
    ),
    (
        lambda w: w.two.predict(w.x, verbose=0),
        UserWarning,
        ("Data", "got one array", "Elements go to the first ones in o"),
    ),
    (
        lambda w: w.two.predict([w.x], verbose=0),
        UserWarning,
        ("Data", "got a list of 1"),
    ),
    (
        lambda w: w.sim.predict(np.ones((3, 3, 1)), verbose=0),
        UserWarning,
        ("Data", "got 3"),
    ),
    (
        lambda w: w.sim.predict(w.x, batch_size=5, verbose=0),
        UserWarning,
        ("batch_size=5 is ignored", "the simulator's minibatch_size"),
    ),
    (
        lambda w: w.sim.predict_on_batch(np.ones((4, 3, 1))),
        ValidationError,
        ("Data", "got 4 for 'stim'", "Pass other data, or make the Simul"),
    ),
    (
        lambda w: w.sim.predict((x for x in [w.x]), n_steps=3),
        SimulationError,
        ("predict", "got n_steps=3", "The number of steps comes from its"),
    ),
    (
        lambda w: w.sim.predict(w.net),
        ValidationError,
        ("Data: ", "got <Network", "Pass a dict from input nodes, or t"),
    ),
    # training
    (
        lambda w: w.new.fit(w.x, w.x),
        ValidationError,
        (
            "Simulator.fit",
            "got a simulator that has not been compiled",
            "Call sim.compile(",
        ),
    ),
    (
        lambda w: w.new.evaluate(w.x, w.x),
        ValidationError,
        (
            "Simulator.evaluate",
            "got a simulator that has not been compiled",
            "Call sim.compile(",
        ),
    ),
    (
        lambda w: w.new.compile("adamm", loss="mse"),
        ValidationError,
        (
            "optimizer",
            "got 'adamm': Could not interpret optimizer identi",
            "Look for a typing error; a learnin",
        ),
    ),
    (
        lambda w: w.new.compile("sgd", loss="msee"),
        ValidationError,
        (
            "loss",
            "got 'msee': Could not interpret loss identifier:",
            "Look for a typing error",
        ),
    ),
    (
        lambda w: w.new.compile("sgd", loss="mse", metrics=["accuracyy"]),
        ValidationError,
        (
            "metrics",
            "got 'accuracyy': Could not interpret metric ident",
            "Look for a typing error",
        ),
    ),
    (
        lambda w: w.new.compile("sgd", loss={"pp": "mse"}),
        ValidationError,
        ("loss", "got 'pp'", "Did you mean 'p'? The probes of th"),
    ),
    (
        lambda w: w.new.compile("sgd", loss={w.net.ens: "mse"}),
        ValidationError,
        (
            "loss",
            "got <Ensemble 'ens'> of type Ensemble",
            "The probes of this network are 'p'",
        ),
    ),
    (
        lambda w: w.new.compile("sgd", loss=["mse", "mse"]),
        ValidationError,
        ("loss", "got 2"),
    ),
    (
        lambda w: w.new.compile("sgd", loss=3),
        ValidationError,
        (
            "loss",
            "got 3: Could not interpret loss identifier: 3",
            "Look for a typing error",
        ),
    ),
    (
        lambda w: w.new.compile("sgd", loss="mse", loss_weights=[1, 2]),
        ValidationError,
        ("loss_weights", "got 2"),
    ),
    (
        lambda w: w.new.compile("sgd", loss="mse", loss_weights="x"),
        ValidationError,
        ("loss_weights", "got 'x'", "Pass one for each output"),
    ),
    (
        lambda w: w.new.compile("sgd", loss="mse", metrics={"pp": "mae"}),
        ValidationError,
        ("metrics", "got 'pp'", "Did you mean 'p'? The probes of th"),
    ),
    (
        lambda w: w.new.compile(3, loss="mse"),
        ValidationError,
        (
            "optimizer",
            "got 3: Could not interpret optimizer identifier:",
            "Look for a typing error; a learnin",
        ),
    ),
    (
        lambda w: w.new.compile("sgd", loss="mse", lr=0.1),
        TypeError,
        ("Simulator.compile", "got 'lr'", "Keras' are optimizer, loss, loss_w"),
    ),
    (
        lambda w: w.sim.fit(w.x),
        ValidationError,
        ("Targets", "got none for 'p'", "Add what is missing"),
    ),
    (
        lambda w: w.sim.fit(w.x, verbose=0, epochs="3", y=w.x),
        ValidationError,
        ("epochs", "got '3'", "Pass epochs=1, 2, "),
    ),
    (
        lambda w: w.sim.fit(w.x, {"pp": w.x}),
        ValidationError,
        ("Data", "got 'pp'", "Did you mean 'p'? The probes of th"),
    ),
    (
        lambda w: w.sim.fit(w.x, {w.other.q: w.x}),
        ValidationError,
        (
            "Data",
            "got <Probe \"q\" of 'output' of <Node 'b'>> of type",
            "The probes of this network are 'p'",
        ),
    ),
    (
        lambda w: w.sim.fit(w.x, np.ones((2, 3))),
        ValidationError,
        ("Targets for 'p'", "got shape (2, 3)", "Add a time axis: y[:, None, :], or"),
    ),
    (
        lambda w: w.sim.fit(w.x, np.ones((4, 3, 1))),
        ValidationError,
        ("Data", "got 2 for 'stim', 4 for 'p'", "Pass other data, or make the Simul"),
    ),
    (
        lambda w: w.sim.fit(w.x, np.full((2, 3, 1), "a")),
        ValidationError,
        ("Targets for 'p'", "got dtype <U1", "Convert it with np.asarray(x, dtyp"),
    ),
    (
        lambda w: w.sim.fit(w.x, w.x, validation_split=0.5),
        ValidationError,
        ("validation_split", "got 1 and 1 items", "Choose a fraction k * 2 / 2 with a"),
    ),
    (
        lambda w: w.sim.fit(w.x, w.x, validation_split=2),
        ValidationError,
        ("validation_split", "got 2", "Leave it out to train on all data"),
    ),
    (
        lambda w: w.sim.fit(w.x, w.x, validation_data=w.x),
        ValidationError,
        ("validation_data", "got ndarray", "Use None for inputs that are to be"),
    ),
    (
        lambda w: w.sim.fit(w.x, w.x, validation_data=(w.x,)),
        ValidationError,
        ("validation_data", "got 1 elements", "Use None for inputs that are to be"),
    ),
    (
        lambda w: w.sim.fit(w.x, w.x, sample_weight=np.ones(3)),
        ValidationError,
        (
            "Data",
            "got 2 for 'stim', 2 for 'p', 3 for 'sample_weight",
            "Pass other data, or make the Simul",
        ),
    ),
    (
        lambda w: w.sim.fit(w.x, w.x, sample_weight="x"),
        ValidationError,
        (
            "sample_weight for 'p'",
            "got dtype <U1",
            "Convert it with np.asarray(x, dtyp",
        ),
    ),
    (
        lambda w: w.sim.fit(w.x, w.x, class_weight="x"),
        ValidationError,
        ("class_weight", "got x", "For other targets, pass sample_wei"),
    ),
    (
        lambda w: w.sim.fit(w.x, w.x, callbacks="x"),
        ValidationError,
        ("callbacks", "got 'x'", "For functions, there is keras.call"),
    ),
    (
        lambda w: w.sim.fit(w.x, w.x, epoch=3),
        TypeError,
        ("Simulator.fit", "got 'epoch'", "Did you mean 'epochs'? Keras' are"),
    ),
    (
        lambda w: w.sim.fit(w.x, w.x, batch_size=1, verbose=0),
        UserWarning,
        ("batch_size=1 is ignored", "the simulator's minibatch_size"),
    ),
    (
        lambda w: w.frozen.fit(w.x, w.x),
        SimulationError,
        (
            "Simulator.fit",
            "got one with inference_only=True",
            "Call configure_settings(inference_",
        ),
    ),
    (
        lambda w: w.frozen.check_gradients(),
        SimulationError,
        (
            "Simulator.check_gradients",
            "got one with inference_only=True",
            "Call configure_settings(inference_",
        ),
    ),
    (
        lambda w: w.sim.check_gradients(outputs=[w.net.ens]),
        ValidationError,
        (
            "Simulator.outputs: must be a list of probes",
            "got <Ensemble 'ens'",
            "Leave it out",
        ),
    ),
    (
        lambda w: w.sim.check_gradients(inputs=np.ones((2, 3))),
        ValidationError,
        ("Data for 'stim'", "got (2, 3", "Add an axis for the single dimensi"),
    ),
    (
        lambda w: w.fit_one_step(w.chain(synapse=0.01)),
        SimulationError,
        (
            "Simulator.fit",
            "got no gradient for any weight: in 1 step, nothin",
            "Give data of more steps, or set sy",
        ),
    ),
    (
        lambda w: w.fit_one_step(w.chain(python=True)),
        SimulationError,
        (
            "Simulator.fit",
            "got no gradient for any weight: <Node 'out'> call",
            "Write it in TensorFlow, as a nengo",
        ),
    ),
    (
        lambda w: w.without_probes.keras_model,
        SimulationError,
        ("Simulator.keras_model", "got one without probes", "Add a nengo.Probe"),
    ),
    (
        lambda w: w.without_probes.fit(n_steps=3),
        SimulationError,
        ("Simulator.keras_model", "got one without probes", "Add a nengo.Probe"),
    ),
    # files
    (
        lambda w: w.sim.save_params(None),
        ValidationError,
        (
            "Simulator.save_params path",
            "got None",
            "Pass a string or a pathlib.Path th",
        ),
    ),
    (
        lambda w: w.sim.save_params(3),
        ValidationError,
        ("Simulator.save_params path", "got 3", "Pass a string or a pathlib.Path th"),
    ),
    (
        lambda w: w.sim.save_params(""),
        ValidationError,
        ("Simulator.save_params path", "got ''", "Pass a string or a pathlib.Path th"),
    ),
    (
        lambda w: w.sim.save_params("a\0b"),
        ValidationError,
        (
            "Simulator.save_params path",
            "got 'a\\x00b'",
            "Pass a string or a pathlib.Path th",
        ),
    ),
    (
        lambda w: w.sim.save_params(w.folder + "/"),
        ValidationError,
        ("Simulator.save_params path", "got '", "Pass a string or a pathlib.Path th"),
    ),
    (
        lambda w: w.sim.save_params(w.folder + "/no/params"),
        FileNotFoundError,
        ("Simulator.save_params", "Make the folder, or choose another"),
    ),
    (
        lambda w: w.sim.load_params(None),
        ValidationError,
        (
            "Simulator.load_params path",
            "got None",
            "Pass a string or a pathlib.Path th",
        ),
    ),
    (
        lambda w: w.sim.load_params(w.folder + "/missing"),
        FileNotFoundError,
        ("Simulator.load_params", "got none", "Pass the path that was given to sa"),
    ),
    (
        lambda w: w.sim.load_params(w.saved + ".npz"),
        FileNotFoundError,
        ("Simulator.load_params", "got none", "Pass the path that was given to sa"),
    ),
    (
        lambda w: w.two.load_params(w.saved),
        SimulationError,
        (
            "Simulator.load_params ",
            "got others, see below",
            "Make the simulator of the network",
        ),
    ),
    (
        lambda w: w.sim.load_params(w.text),
        SimulationError,
        (
            "Simulator.load_params ",
            "got one that is damaged or something else: BadZip",
            "Save the parameters again",
        ),
    ),
    (
        lambda w: w.sim.load_params(w.saved, include_state=True),
        SimulationError,
        (
            "Simulator.load_params ",
            "got others, see below",
            "The file holds no state of the sim",
        ),
    ),
    (
        lambda w: w.sim.save_params(w.saved, include_non_trainable=True),
        DeprecationWarning,
        ("include_non_trainable is deprecated", "Use include_state for the state of"),
    ),
    # parameters
    (
        lambda w: w.taught.freeze_params(w.taught.model.toplevel),
        ValueError,
        (
            "expected the weights of <Connection dec>",
            "got 2 that",
            "Learn with minibatch_size=1",
        ),
    ),
    (
        lambda w: w.taught.get_nengo_params(w.taught.model.toplevel.conn),
        ValueError,
        (
            "expected the weights of <Connection dec>",
            "got 2 that",
            "Learn with minibatch_size=1",
        ),
    ),
    (
        lambda w: w.sim.freeze_params(3),
        TypeError,
        (
            "Simulator.freeze_params",
            "got 3 of type int",
            "Pass the object that owns the para",
        ),
    ),
    (
        lambda w: w.sim.freeze_params("net"),
        TypeError,
        (
            "Simulator.freeze_params",
            "got 'n' of type str",
            "Pass the object that owns the para",
        ),
    ),
    (
        lambda w: w.sim.freeze_params(w.other),
        ValueError,
        (
            "Simulator.freeze_params",
            "got <Network",
            "Pass an object of the network that",
        ),
    ),
    (
        lambda w: w.sim.freeze_params(w.net.stim),
        TypeError,
        (
            "Simulator.freeze_params",
            "got <Node 'stim'",
            "Pass the object that owns the para",
        ),
    ),
    (
        lambda w: w.sim.get_nengo_params(w.other.direct),
        ValueError,
        (
            "Simulator.get_nengo_params",
            "got <Ensemble 'direct'",
            "Leave out what has no parameters",
        ),
    ),
    (
        lambda w: w.two.get_nengo_params(w.other.direct),
        ValueError,
        (
            "Simulator.get_nengo_params",
            "got <Ensemble 'direct'",
            "Leave out what has no parameters",
        ),
    ),
    (
        lambda w: w.sim.get_nengo_params(w.net.stim),
        ValueError,
        (
            "Simulator.get_nengo_params",
            "got <Node 'stim'",
            "Leave out what has no parameters",
        ),
    ),
    (
        lambda w: w.sim.get_nengo_params(3),
        ValueError,
        (
            "Simulator.get_nengo_params",
            "got 3 of type int",
            "Leave out what has no parameters",
        ),
    ),
    (
        lambda w: w.sim.get_nengo_params([w.net.ens, w.net.ens], as_dict=True),
        ValueError,
        (
            "Simulator.get_nengo_params",
            "got 2 with 'ens'",
            "Give them labels, or leave as_dict",
        ),
    ),
    # settings
    (
        lambda w: w.configure(dtyp="float64"),
        exceptions.ConfigError,
        ("configure_settings", "got 'dtyp'", "Did you mean 'dtype'?"),
    ),
    (
        lambda w: w.configure(dtype="float16"),
        ValidationError,
        ("dtype", "got 'float16'", "Pass the name of the type as a str"),
    ),
    (
        lambda w: w.configure(dtype=3),
        ValidationError,
        ("dtype", "got 3", "Pass the name of the type as a str"),
    ),
    (
        lambda w: w.configure(trainable="yes"),
        ValidationError,
        ("trainable", "got 'yes'", "None chooses by the default rule"),
    ),
    (
        lambda w: w.configure(jit_compile="yes"),
        ValidationError,
        ("jit_compile", "got 'yes'", "'auto' compiles where it pays"),
    ),
    (
        lambda w: w.configure(training_mode="spikes"),
        ValidationError,
        ("training_mode", "got 'spikes'", "'rate' trains with firing rates, '"),
    ),
    (
        lambda w: w.configure(surrogate="fast"),
        ValidationError,
        ("surrogate", "got 'fast'", "Make an instance of a class first,"),
    ),
    (
        lambda w: w.configure(lif_smoothing=-1),
        ValidationError,
        ("lif_smoothing", "got -1", "Small values, e.g. 0.1, are close"),
    ),
    (
        lambda w: w.configure(lif_smoothing="x"),
        ValidationError,
        ("lif_smoothing", "got 'x'", "Small values, e.g. 0.1, are close"),
    ),
    (
        lambda w: w.configure(inference_only="x"),
        ValidationError,
        ("inference_only", "got 'x'", "Leave it out to keep the default"),
    ),
    (
        lambda w: w.configure(stateful="no"),
        ValidationError,
        ("stateful", "got 'no'", "Leave it out to keep the default"),
    ),
    (
        lambda w: w.configure(use_loop=3),
        ValidationError,
        ("use_loop", "got 3", "Leave it out to keep the default"),
    ),
    (
        lambda w: w.configure(keep_history="x"),
        ValidationError,
        ("keep_history", "got 'x'", "False keeps the last step alone"),
    ),
    (
        lambda w: w.configure(learning_phase="x"),
        ValidationError,
        ("learning_phase", "got 'x'", "None follows the method called"),
    ),
    (
        lambda w: w.configure(learning_phase=True, inference_only=True),
        BuildError,
        (
            "configure_settings",
            "got inference_only=True",
            "Set inference_only=False or learni",
        ),
    ),
    (
        lambda w: w.configure(planner="x"),
        ValidationError,
        ("planner", "got 'x'", "None chooses the default"),
    ),
    (
        lambda w: w.configure(simplifications=3),
        ValidationError,
        ("simplifications", "got 3", "Put a single function in a list; ["),
    ),
    (
        lambda w: w.configure(sorter="x"),
        ValidationError,
        ("sorter", "got 'x'", "None chooses the default"),
    ),
    (
        lambda w: nengo_dl.configure_settings(dtype="float64"),
        NetworkContextError,
        (
            "configure_settings",
            "got no active network",
            "Call it in a 'with network:' block",
        ),
    ),
    (
        lambda w: w.simulator(w.chain(python=True, jit_compile=True)),
        BuildError,
        (
            "configure_settings(jit_compile=True)",
            "got one in which <Node 'out'> calls a Python func",
            'Set jit_compile="auto" to compile',
        ),
    ),
    (
        lambda w: w.set_trainable("yes"),
        ValidationError,
        ("trainable", "got 'yes'", "None chooses by the default rule"),
    ),
    (
        lambda w: nengo_dl.config.get_setting(w.net, "dtyp"),
        exceptions.ConfigError,
        ("get_setting", "got 'dtyp'", "Did you mean 'dtype'?"),
    ),
    # TensorNode and Layer
    (
        lambda w: w.layer(tf.nn.relu, transform="x"),
        ValidationError,
        ("Layer.transform", "got 'x'", "Leave it out"),
    ),
    (
        lambda w: w.tensor_node(3),
        ValidationError,
        ("TensorNode.tensor_func", "got 3", "Pass a function of tensors, or a K"),
    ),
    (
        lambda w: w.tensor_node(lambda x: x),
        ValidationError,
        ("tensor_func", "got shape ()", "Keep the first axis of the input;"),
    ),
    (
        lambda w: w.tensor_node(lambda t: t, shape_in=None, pass_time=False),
        ValidationError,
        (
            "TensorNode.pass_time",
            "got shape_in=None and pass_time=False",
            "Pass shape_in, or leave out pass_t",
        ),
    ),
    (
        lambda w: w.tensor_node(lambda x: x, shape_in=(0,), pass_time=False),
        ValidationError,
        ("TensorNode.shape_in", "got (0,)", "Leave out the minibatch axis, e.g."),
    ),
    (
        lambda w: w.tensor_node(lambda x: x, shape_in="x", pass_time=False),
        ValidationError,
        ("TensorNode.shape_in", "got 'x'", "Leave out the minibatch axis, e.g."),
    ),
    (
        lambda w: w.tensor_node(lambda x: x, shape_in=3.5, pass_time=False),
        ValidationError,
        ("TensorNode.shape_in", "got 3.5", "Leave out the minibatch axis, e.g."),
    ),
    (
        lambda w: w.tensor_node(
            lambda x: x, shape_in=(1,), shape_out=(-1,), pass_time=False
        ),
        ValidationError,
        ("TensorNode.shape_out", "got (-1,)", "Leave out the minibatch axis, e.g."),
    ),
    (
        lambda w: w.tensor_node(lambda t, x: x / None, shape_in=(1,)),
        ValidationError,
        (
            "tensor_func",
            "got ValueError: Attempt to convert a value (None)",
            "Try the call outside of the networ",
        ),
    ),
    (
        lambda w: w.tensor_node(lambda x: 3, shape_in=(1,), pass_time=False),
        ValidationError,
        ("tensor_func", "got 3 of type int", "Return a tensor"),
    ),
    (
        lambda w: w.tensor_node(lambda x: None, shape_in=(1,), pass_time=False),
        ValidationError,
        ("tensor_func", "got None of type NoneType", "Return a tensor"),
    ),
    (
        lambda w: w.tensor_node(lambda x: x.numpy(), shape_in=(1,), pass_time=False),
        ValidationError,
        ("tensor_func", "got array", "Return a tensor"),
    ),
    (
        lambda w: w.tensor_node(
            lambda x: tf.cast(x, tf.float64),
            shape_in=(1,),
            shape_out=(1,),
            pass_time=False,
        ),
        ValidationError,
        (
            "tensor_func",
            "got a float64 tensor of shape (1, 1)",
            'Convert it: tf.cast(y, "float32")',
        ),
    ),
    (
        lambda w: w.tensor_node(
            lambda x: x, shape_in=(1,), shape_out=(2,), pass_time=False
        ),
        ValidationError,
        (
            "tensor_func",
            "got a float32 tensor of shape (1, 1)",
            "Correct shape_out, or leave it out",
        ),
    ),
    (
        lambda w: w.tensor_node(
            lambda x: tf.ones((3, 1)), shape_in=(1,), shape_out=(1,), pass_time=False
        ),
        ValidationError,
        (
            "tensor_func",
            "got a float32 tensor of shape (3, 1)",
            "Keep the first axis of the input,",
        ),
    ),
    (
        lambda w: w.tensor_node(keras.layers.Dense, shape_in=(1,), pass_time=False),
        ValidationError,
        (
            "TensorNode.tensor_func",
            "got <class 'keras.src.layers.core.dense.Dense'>",
            "Make an instance first: Dense(...)",
        ),
    ),
    (
        lambda w: w.layer(3),
        ValidationError,
        ("Layer.layer_func", "got 3", "Pass a function of tensors, or a K"),
    ),
    (
        lambda w: w.layer("relu"),
        ValidationError,
        ("Layer.layer_func", "got 'relu'", "Pass a function of tensors, or a K"),
    ),
    (
        lambda w: w.layer(tf.nn.relu, "x"),
        ValidationError,
        ("Layer.input", "got 'x' of type str", "Connect from a nengo.Node; nengo.N"),
    ),
    (
        lambda w: w.layer(tf.nn.relu, shape_in=(2,)),
        ValidationError,
        ("Connection.transform", "not equal to connection output size (2)"),
    ),
    (
        lambda w: w.layer(keras.layers.Conv2D(1, 3)),
        ValidationError,
        (
            "tensor_func",
            "got ValueError: Input 0 with name 'None' of layer",
            "Try the call outside of the networ",
        ),
    ),
    (
        lambda w: w.layer(keras.layers.Conv2D(1, 3), shape_in=(1,)),
        ValidationError,
        (
            "tensor_func",
            "got ValueError: Input 0 with name 'None' of layer",
            "Try the call outside of the networ",
        ),
    ),
    (
        lambda w: w.layer(nengo.LIF),
        ValidationError,
        (
            "Layer.layer_func",
            "got <class 'nengo.neurons.LIF'>",
            "Make an instance first: LIF(...)",
        ),
    ),
    (
        lambda w: nengo_dl.Layer(tf.nn.relu)(w.net.stim),
        NetworkContextError,
        ("TensorNode", "must either be created inside a ``with network:`` block"),
    ),
    (
        lambda w: nengo_dl.tensor_layer(w.net.stim, tf.nn.relu),
        NetworkContextError,
        ("TensorNode", "must either be created inside a ``with network:`` block"),
    ),
    (
        lambda w: w.run_in_nengo(),
        SimulationError,
        ("TensorNode", "got another simulator", "Use nengo_dl.Simulator, or replace"),
    ),
    # Converter
    (
        lambda w: nengo_dl.Converter("model"),
        TypeError,
        ("Converter", "got str", "Wrap layers in a keras.Model, from"),
    ),
    (
        lambda w: nengo_dl.Converter(w.net),
        TypeError,
        ("Converter", "got Network", "Wrap layers in a keras.Model, from"),
    ),
    (
        lambda w: nengo_dl.Converter(keras.Sequential([keras.layers.Dense(1)])),
        ValueError,
        (
            "Converter",
            "got Sequential 'sequential",
            "Put keras.Input(shape) first",
        ),
    ),
    (
        lambda w: nengo_dl.Converter(keras.layers.Dense(1)),
        TypeError,
        ("Converter", "got Dense", "Wrap layers in a keras.Model, from"),
    ),
    (
        lambda w: nengo_dl.Converter(w.sequence),
        ValueError,
        (
            "Input 'keras_tensor",
            "got (None, None, 4)",
            "Give the model inputs of fixed sha",
        ),
    ),
    (
        lambda w: nengo_dl.Converter(w.normalized, allow_fallback=False),
        TypeError,
        ("Layer 'unit_normalization", "Pass allow_fallback=True to keep i"),
    ),
    (
        lambda w: nengo_dl.Converter(w.model, scale_firing_rates=-1),
        ValueError,
        ("Converter.scale_firing_rates", "got -1", "1 leaves rates"),
    ),
    (
        lambda w: nengo_dl.Converter(w.model, scale_firing_rates="fast"),
        ValueError,
        ("Converter.scale_firing_rates", "got 'fast'", "1 leaves rates"),
    ),
    (
        lambda w: nengo_dl.Converter(w.model, scale_firing_rates="auto"),
        ValueError,
        ("Converter.calibration_data", "got none", "Pass some of the data that it was"),
    ),
    (
        lambda w: nengo_dl.Converter(w.model, scale_firing_rates={"hiden": 2}),
        UserWarning,
        ("Converter.scale_firing_rates", "got 'hiden'"),
    ),
    (
        lambda w: nengo_dl.Converter(w.model, swap_activations=3),
        TypeError,
        ("Converter.swap_activations", "got 3", "Use e.g. {keras.activations.relu:"),
    ),
    (
        lambda w: nengo_dl.Converter(w.model, swap_activations={"relu": 3}),
        TypeError,
        ("Converter.swap_activations", "got 3", "Use e.g. {keras.activations.relu:"),
    ),
    (
        lambda w: nengo_dl.Converter(
            w.model, swap_activations={tf.nn.softplus: nengo.LIF()}
        ),
        UserWarning,
        ("Converter.swap_activations", "got softplus", "The others are swapped"),
    ),
    (
        lambda w: nengo_dl.Converter(w.model, synapse="x"),
        ValidationError,
        ("Connection.synapse", "got type 'str'"),
    ),
    (
        lambda w: nengo_dl.Converter(
            w.model, calibration_data="x", scale_firing_rates="auto"
        ),
        ValueError,
        (
            "Converter.calibration_data",
            "got str: could not convert string to float: 'x'",
            "Pass data as for the Keras model",
        ),
    ),
    (
        lambda w: nengo_dl.Converter(w.model, inference_only="x"),
        TypeError,
        ("Converter.inference_only", "got 'x'", "Leave it out for the default"),
    ),
    (
        lambda w: w.converter.inputs[w.net],
        KeyError,
        ("'Converter.inputs", "got <Network", "Use one of that model, which may d"),
    ),
    (
        lambda w: w.converter.outputs[w.model.input],
        KeyError,
        (
            '"Converter.outputs',
            "got 'keras_tensor",
            "Use one of that model, which may d",
        ),
    ),
    (
        lambda w: w.converter.layers["hiden"],
        KeyError,
        ('"Converter.layers', "expected a name in", "got 'hiden'", "mean 'hidden'?"),
    ),
    (
        lambda w: w.converter.inputs["x"],
        KeyError,
        ('"Converter.inputs', "expected a name in", "got 'x'", "model.summary()"),
    ),
    (
        lambda w: w.converter.verify(inputs=np.ones((2, 9))),
        ValueError,
        ("Converter.verify", "got (2, 9)", "Pass data as for the Keras model"),
    ),
    (
        lambda w: w.converter.verify(inputs="x"),
        ValueError,
        (
            "Converter.verify",
            "got str: could not convert string to float: 'x'",
            "Pass data as for the Keras model",
        ),
    ),
    (
        lambda w: w.converter.report("x"),
        ValueError,
        (
            "Converter.report",
            "got str: could not convert string to float: 'x'",
            "Pass data as for the Keras model",
        ),
    ),
    (
        lambda w: w.converter.report(np.ones((2, 9))),
        ValueError,
        ("Converter.report", "got (2, 9)", "Pass data as for the Keras model;"),
    ),
    (
        lambda w: w.converter.report(np.ones((2, 4)), n_steps=0),
        ValueError,
        ("Converter.report: expected n_steps", "got 0", "Leave it out"),
    ),
    (
        lambda w: w.converter.report(np.ones((2, 4)), y=np.ones(3, int)),
        ValueError,
        ("Converter.report", "got (3,)", "Leave y out to compare the output"),
    ),
    (
        lambda w: w.simulator(w.converter.net).predict(np.ones((2, 4))),
        ValidationError,
        (
            "Data for 'node'",
            "got (2, 4",
            "Add a time axis: x[:, None, :], or",
        ),
    ),
    # NengoLayer
    (
        lambda w: nengo_dl.NengoLayer(3),
        ValidationError,
        (
            "NengoLayer.network",
            "got 3 of type int",
            "Pass the network that holds everyt",
        ),
    ),
    (
        lambda w: nengo_dl.NengoLayer(lambda: 3),
        ValidationError,
        (
            "NengoLayer.network",
            "got 3 of type int",
            "Pass the network that holds everyt",
        ),
    ),
    (
        lambda w: nengo_dl.NengoLayer(w.sim),
        ValidationError,
        (
            "NengoLayer.network",
            "got <nengo_dl.simulator.simulator.Simulator objec",
            "Pass the network that holds everyt",
        ),
    ),
    (
        lambda w: nengo_dl.NengoLayer(w.net, dt=0),
        ValidationError,
        ("NengoLayer.dt", "got 0", "Leave it out for steps of 0.001 s"),
    ),
    (
        lambda w: nengo_dl.NengoLayer(w.net, dt=1e300),
        ValidationError,
        ("NengoLayer.dt", "got 1e+300", "Choose steps of about a millisecon"),
    ),
    (
        lambda w: nengo_dl.NengoLayer(w.net, seed="x"),
        ValidationError,
        ("NengoLayer.seed", "got 'x'", "Leave it out to use that of the ne"),
    ),
    (
        lambda w: nengo_dl.NengoLayer(w.net, inputs="stim"),
        ValidationError,
        ("NengoLayer.inputs", "got 'stim'", "Write ['stim']"),
    ),
    (
        lambda w: nengo_dl.NengoLayer(w.net, inputs=["stimm"]),
        ValidationError,
        ("NengoLayer.inputs", "got 'stimm'", "Did you mean 'stim'?"),
    ),
    (
        lambda w: nengo_dl.NengoLayer(w.net, outputs=["q"]),
        ValidationError,
        ("NengoLayer.outputs: must be among 'p'", "got 'q'", "Leave it out"),
    ),
    (
        lambda w: nengo_dl.NengoLayer(w.net, outputs=[]),
        ValidationError,
        ("NengoLayer.outputs", "got none", "Add a nengo.Probe"),
    ),
    (
        lambda w: nengo_dl.NengoLayer(w.net, outputs=[w.net.ens]),
        ValidationError,
        (
            "NengoLayer.outputs: must be among 'p'",
            "got <Ensemble 'ens'",
            "Leave it out",
        ),
    ),
    (
        lambda w: nengo_dl.NengoLayer(w.net, stateful=True),
        ValidationError,
        ("NengoLayer.stateful", "got None", "Pass it, or stateful=False"),
    ),
    (
        lambda w: nengo_dl.NengoLayer(w.net, minibatch_size=0),
        ValidationError,
        ("NengoLayer.minibatch_size", "got 0", "Leave it out for any number"),
    ),
    (
        lambda w: nengo_dl.NengoLayer(w.net, unroll_simulation=10**6),
        ValidationError,
        ("NengoLayer.unroll_simulation", "got 1000000", "Leave it out for the default"),
    ),
    (
        lambda w: w.nengo_layer(np.ones((2, 1))),
        ValidationError,
        ("got (2, 1", "Add an axis for the time steps, x["),
    ),
    (
        lambda w: w.nengo_layer(np.ones((2, 3, 4))),
        ValidationError,
        ("got (2, 3, 4", "Add an axis for the time steps, x["),
    ),
    (
        lambda w: w.nengo_layer({"stimm": w.x}),
        ValidationError,
        (
            "expected names of input nodes, 'stim' ",
            "got 'stimm'",
            "Did you mean 'stim'?",
        ),
    ),
    (
        lambda w: w.nengo_layer([w.x, w.x]),
        ValidationError,
        ("expected at most 1 inputs ('stim')", "got 2", "Pass a dict by name"),
    ),
    (
        lambda w: w.nengo_layer({}),
        ValidationError,
        (
            "expected at least one of 'stim' ",
            "got none",
            "It tells the number of items and o",
        ),
    ),
    (
        lambda w: w.nengo_layer(None),
        ValidationError,
        (
            "expected a tensor or an array for 'stim' ",
            "got None",
            "Convert it with np.asarray",
        ),
    ),
    (
        lambda w: w.nengo_layer.get_config(),
        NotImplementedError,
        (
            "NengoLayer 'net'",
            "got a network",
            "Pass a function registered with ke",
        ),
    ),
    (
        lambda w: keras.Sequential([keras.Input((3, 1)), w.nengo_layer]).save(
            w.folder + "/m.keras"
        ),
        NotImplementedError,
        (
            "NengoLayer 'net'",
            "got a network",
            "Pass a function registered with ke",
        ),
    ),
    (
        lambda w: nengo_dl.NengoLayer.from_config({"network": "os.getcwd"}),
        ValueError,
        ("NengoLayer", "got 'os.getcwd'", "Decorate the function with keras.s"),
    ),
    # distributions, losses, neurons, surrogates
    (
        lambda w: dists.TruncatedNormal(stddev=-1),
        ValidationError,
        ("TruncatedNormal.stddev", "got -1)"),
    ),
    (
        lambda w: dists.TruncatedNormal(stddev="x"),
        ValidationError,
        ("TruncatedNormal.stddev", "got 'x'"),
    ),
    (
        lambda w: dists.TruncatedNormal(limit=0),
        ValidationError,
        ("TruncatedNormal.limit", "got 0)"),
    ),
    (
        lambda w: dists.VarianceScaling(scale=-1),
        ValidationError,
        ("VarianceScaling.scale", "got -1)"),
    ),
    (
        lambda w: dists.VarianceScaling(mode="fan"),
        ValidationError,
        ("VarianceScaling.mode", "'fan' must be one of ['fan_in'"),
    ),
    (
        lambda w: dists.VarianceScaling(distribution="gauss"),
        ValidationError,
        ("VarianceScaling.distribution", "'gauss' must be one of"),
    ),
    (
        lambda w: dists.Glorot(distribution="gauss"),
        ValidationError,
        ("Glorot.distribution", "'gauss' must be one of"),
    ),
    (lambda w: dists.He(scale="x"), ValidationError, ("He.scale", "got 'x'")),
    (
        lambda w: losses.Regularize(order="x"),
        ValidationError,
        ("Regularize.order", "got 'x'", "Choose 1 for the sum of absolute v"),
    ),
    (
        lambda w: losses.Regularize(order=None),
        ValidationError,
        ("Regularize.order", "got None", "Choose 1 for the sum of absolute v"),
    ),
    (
        lambda w: losses.Regularize(axis="x"),
        ValidationError,
        ("Regularize.axis", "got 'x'", "0 is the first axis after minibatc"),
    ),
    (
        lambda w: losses.nan_mse(tf.ones((2, 3, 1)), tf.ones((2, 4, 1))),
        ValidationError,
        ("nan_mse", "got (2, 3, 1)", "Put NaN where there is no target"),
    ),
    (
        lambda w: neurons.SoftLIFRate(sigma=0),
        ValidationError,
        ("SoftLIFRate.sigma", "got 0)"),
    ),
    (
        lambda w: neurons.SoftLIFRate(sigma="x"),
        ValidationError,
        ("SoftLIFRate.sigma", "got 'x'"),
    ),
    (
        lambda w: neurons.LeakyReLU(negative_slope="x"),
        ValidationError,
        ("LeakyReLU.negative_slope", "got 'x'"),
    ),
    (
        lambda w: neurons.LeakyReLU(amplitude=-1),
        ValidationError,
        ("LeakyReLU.amplitude", "got -1)"),
    ),
    (
        lambda w: neurons.SpikingLeakyReLU(negative_slope=None),
        ValidationError,
        ("SpikingLeakyReLU.negative_slope", "cannot set to None"),
    ),
    (
        lambda w: neurons.IntegrateAndFire(amplitude=0),
        ValidationError,
        ("IntegrateAndFire.amplitude", "got 0)"),
    ),
    (
        lambda w: surrogates.FastSigmoid(0),
        ValidationError,
        ("FastSigmoid.slope", "got 0", "Leave it out to keep the default"),
    ),
    (
        lambda w: surrogates.FastSigmoid("x"),
        ValidationError,
        ("FastSigmoid.slope", "got 'x'", "Leave it out to keep the default"),
    ),
    # callbacks and plots
    (
        lambda w: nengo_dl.callbacks.NengoSummaries(w.folder, w.sim, [w.net.stim]),
        ValidationError,
        ("NengoSummaries.objects", "got <Node 'stim'", "Leave it out"),
    ),
    (
        lambda w: nengo_dl.callbacks.NengoSummaries(w.folder, w.sim, ["ens"]),
        ValidationError,
        ("NengoSummaries.objects", "got 'ens'", "Leave it out"),
    ),
    (
        lambda w: nengo_dl.callbacks.NengoSummaries(w.folder, w.sim, w.net.ens),
        ValidationError,
        ("NengoSummaries.objects", "got <Ensemble 'ens'", "Leave it out"),
    ),
    (
        lambda w: nengo_dl.callbacks.NengoSummaries(w.folder, "sim", [w.net.ens]),
        ValidationError,
        (
            "NengoSummaries.sim",
            "got 'sim' of type str",
            "Make it inside of the `with` block",
        ),
    ),
    (
        lambda w: nengo_dl.callbacks.IsolateState("sim"),
        ValidationError,
        (
            "IsolateState.sim",
            "got 'sim' of type str",
            "Make it inside of the `with` block",
        ),
    ),
    (
        lambda w: plots.raster([]),
        ValidationError,
        ("raster", "got of shape (0,)", "Run the simulator before"),
    ),
    (
        lambda w: plots.raster("x"),
        ValidationError,
        ("raster", "got a str", "Pass the data of one probe, e.g. s"),
    ),
    (
        lambda w: plots.raster(np.ones((3, 2)), item=5),
        ValidationError,
        ("raster", "got 5", "Pass the number of one of them"),
    ),
    (
        lambda w: plots.raster(np.ones((2, 3, 2)), item=5),
        ValidationError,
        ("raster", "got 5", "Pass the number of one of them"),
    ),
    (
        lambda w: plots.raster(np.ones((3, 2)), neurons=[5]),
        ValidationError,
        ("raster", "got [5]", "Leave it out to draw some that are"),
    ),
    (
        lambda w: plots.raster(np.ones((3, 2)), neurons="x"),
        ValidationError,
        ("raster", "got 'x'", "Leave it out to draw some that are"),
    ),
    (
        lambda w: plots.raster(np.ones((3, 2)), dt=0),
        ValidationError,
        ("dt: must be a positive number", "got 0", "Pass sim.dt"),
    ),
    (
        lambda w: plots.rates(np.ones((3, 2)), dt=-1),
        ValidationError,
        ("dt", "got -1", "Pass sim.dt, or the sample_every o"),
    ),
    (
        lambda w: plots.rates(np.ones((3, 2)), synapse="x"),
        ValidationError,
        ("rates", "got 'x'", "Pass e.g. synapse=0.02"),
    ),
    (
        lambda w: plots.tuning(w.sim, w.net.stim),
        ValidationError,
        (
            "tuning",
            "got <nengo_dl.simulator.simulator.Simulator objec",
            "Call tuning(ens, sim)",
        ),
    ),
    (
        lambda w: plots.tuning(w.sim, "ens"),
        ValidationError,
        (
            "tuning",
            "got <nengo_dl.simulator.simulator.Simulator objec",
            "Call tuning(ens, sim)",
        ),
    ),
    (
        lambda w: plots.decoded("x"),
        ValidationError,
        ("decoded", "got a str", "Pass the data of one probe, e.g. s"),
    ),
    (
        lambda w: plots.raster(w.sim.data[w.net.probe]),
        ValidationError,
        ("raster", "got of shape (0,)", "Run the simulator before"),
    ),
    # networks
    (
        lambda w: w.run_synapse(),
        UserWarning,
        ("Plain has no TensorFlow step", "Register a TensorFlow step"),
    ),
    (
        lambda w: w.train_what_learns(),
        UserWarning,
        (
            "<Connection dec>: trainable=True",
            "Remove the learning rule, or the s",
        ),
    ),
]


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    made = World(str(tmp_path_factory.mktemp("mistakes")))
    yield made
    made.close()


def test_there_are_many():
    assert len(MISTAKES) > 200


@pytest.mark.parametrize("make, error, words", MISTAKES)
def test_mistakes_are_explained(make, error, words, world):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        if issubclass(error, Warning):
            make(world)
            found = [w for w in caught if w.category is error]
            messages = [str(w.message) for w in found]
        else:
            with pytest.raises(error) as info:
                make(world)
            messages = [str(info.value)]
    assert any(all(word in message for word in words) for message in messages), messages
