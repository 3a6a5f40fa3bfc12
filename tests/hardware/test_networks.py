"""Which parts of a network are on hardware: settings, conversion, exclusions."""

import keras
import nengo
import numpy as np
import pytest
import scipy.sparse
from nengo.exceptions import BuildError, ValidationError

import nengo_dl
from nengo_dl.graph.rewrite import rewrite
from nengo_dl.graph.simplify import DEFAULT
from nengo_dl.hardware import Hardware, Weights, convert, remove
from tests.graph.interpreter import program_of

EIGHT, FOUR = Weights(bits=8), Weights(bits=4)


def held(net):
    """Return the number of bits of the parameters that are on hardware, by name."""
    found = {p.name: p.placement for p in program_of(net).parameters}
    return {name: place.model.bits for name, place in found.items() if place}


def network(hardware=None):
    """Make a network with inner networks, and an object of each kind."""
    with nengo.Network(seed=0) as net:
        if hardware is not None:
            nengo_dl.configure_settings(hardware=hardware)
        node = nengo.Node([0.0, 0.0], label="node")
        with nengo.Network():
            net.first = nengo.Ensemble(4, 2, label="first")
        net.second = nengo.Ensemble(5, 2, label="second")
        nengo.Connection(node, net.first, label="scalar")
        nengo.Connection(node, net.second, transform=[0.5, 0.2], label="diagonal")
        net.conn = nengo.Connection(net.first, net.second, label="decoded")
        nengo.Probe(net.second)
    return net


ALL = {"first.encoders", "second.encoders", "diagonal.weights", "decoded.weights"}


def test_the_default_is_all_weights_but_single_numbers_and_probes():
    assert held(network()) == {}
    assert held(network(Hardware(EIGHT))) == dict.fromkeys(ALL, 8)
    # it changes no weights, and tells optimizers which of them are on hardware
    assert held(network(Weights())) == dict.fromkeys(ALL, None)


def test_settings_hold_for_classes_objects_and_inner_networks():
    net = network(EIGHT)
    net.config[net.conn].hardware = None
    net.config[net.second].hardware = FOUR
    with net.networks[0]:
        nengo_dl.configure_settings(hardware=Weights(bits=2))
    assert held(net) == {
        "first.encoders": 2,
        "second.encoders": 4,
        "diagonal.weights": 8,
    }


@pytest.mark.parametrize("inplace", [False, True])
def test_convert_and_remove(inplace):
    net = network(Weights(bits=2))
    with net.networks[0]:
        nengo_dl.configure_settings(hardware=Weights(bits=3))
    overrides = {"second": FOUR, net.first: Hardware(FOUR)}
    on_chip = convert(net, EIGHT, overrides, exclude=[net.conn], inplace=inplace)
    assert (on_chip is net) == inplace
    assert held(on_chip) == {
        "first.encoders": 4,
        "second.encoders": 4,
        "diagonal.weights": 8,
    }
    digital = remove(on_chip, inplace=inplace)
    assert held(digital) == {}
    assert held(convert(digital, EIGHT)) == dict.fromkeys(ALL, 8)
    if not inplace:
        assert held(net) == dict.fromkeys(ALL, 2) | {"first.encoders": 3}


def test_one_error_lists_all_that_is_unknown():
    net = network()
    other = nengo.Ensemble(2, 1, label="other", add_to_container=False)
    message = "convert.override: .*got 'secnd', .*other.*Did you mean 'second'"
    with pytest.raises(ValidationError, match=message):
        convert(net, EIGHT, {"secnd": FOUR}, exclude=[other], inplace=True)
    assert held(net) == {}


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: Weights(bits=1), "Weights.bits: must be a whole number.*got 1"),
        (lambda: Weights(bits=True), "Weights.bits: .*got True"),
        (lambda: Weights(bits=17), "Weights.bits: .*got 17"),
        (lambda: Weights(bits=4.0), "Weights.bits: .*got 4.0"),
        (lambda: Weights(per="chanel"), "Weights.per: .*Did you mean 'channel'"),
        (lambda: Weights(scale=None), "Weights.scale: must be one of 'max', 'mse'"),
        (lambda: Weights(bits=4, exponent=2), "exponent: .*'power_of_two' or None"),
        (lambda: Weights(exponent="power_of_two"), "exponent: must be None without"),
        (lambda: Hardware(8), "Hardware.weights: must be Weights.*got 8"),
        (lambda: network(8), "hardware: setting must be Hardware or None.*got 8"),
        (lambda: convert(network(), None), "convert.model: must be Hardware"),
        (lambda: convert(network(), EIGHT, {"first": 3}), "convert.override: .*got 3"),
    ],
)
def test_errors(make, message):
    with pytest.raises(ValidationError, match=message):
        make()


def test_learned_weights_stay_digital():
    net = network(EIGHT)
    net.conn.learning_rule_type = nengo.PES()
    with net:
        nengo.Connection(net.second, net.conn.learning_rule)
    with pytest.warns(UserWarning, match="hardware has no effect on weights"):
        assert "decoded.weights" not in held(net)


def test_sparse_weights_share_one_scale():
    matrix = scipy.sparse.random(6, 6, 0.5, random_state=0)
    with nengo.Network() as net:
        nengo_dl.configure_settings(hardware=FOUR, jit_compile=False)
        node, out = nengo.Node(np.ones(6)), nengo.Node(size_in=6)
        transform = nengo.Sparse((6, 6), init=matrix)
        conn = nengo.Connection(node, out, transform=transform, synapse=None)
        probe = nengo.Probe(out)
    with pytest.raises(BuildError, match="output channels.*per='tensor'"):
        program_of(net)
    net.config[conn].hardware = Weights(bits=4, per="tensor")
    with nengo_dl.Simulator(net, progress_bar=False) as sim:
        sim.run_steps(1)
        ours = sim.data[probe]
        sim.freeze_params(net)
    assert len(np.unique(conn.transform.init.data)) <= 15
    with nengo.Simulator(net, progress_bar=False) as reference:
        reference.run_steps(1)
    np.testing.assert_allclose(ours, reference.data[probe], atol=1e-6)


def test_layers_of_a_converted_model_are_on_hardware_and_its_wiring_is_not():
    inputs = x = keras.Input((8, 8, 1))
    x = keras.layers.Conv2D(3, 3, activation="relu", name="conv")(x)
    x = keras.layers.AveragePooling2D(2)(x)
    x = keras.layers.Flatten()(x)
    x = keras.layers.Dense(4, activation="relu", name="frozen", trainable=False)(x)
    x = keras.layers.PReLU()(x)
    model = keras.Model(inputs, x)
    converter = nengo_dl.Converter(
        model, swap_activations={"relu": nengo_dl.IntegrateAndFire()}
    )
    net = convert(converter.net, EIGHT, inplace=True)
    weights = {p.name: p.signal.shape for p in program_of(net).parameters}
    shapes = [weights[name] for name in held(net)]
    assert shapes == [(3, 3, 1, 3), (4, 27)]


@pytest.mark.parametrize("trainable", [None, False])
def test_unused_encoders_are_parameters_as_they_are_without_hardware(trainable):
    names = []
    for hardware in (None, FOUR):
        with nengo.Network() as net:
            nengo_dl.configure_settings(hardware=hardware, trainable=trainable)
            node, ens = nengo.Node([1.0, 1.0]), nengo.Ensemble(4, 2, label="ens")
            nengo.Connection(node, ens.neurons, transform=np.ones((4, 2)))
            nengo.Probe(ens.neurons)
        program = rewrite(program_of(net), DEFAULT)
        read = {s.base for op in program.operators for s in op.reads}
        names.append([p.name for p in program.parameters if p.signal in read])
        assert "ens.encoders" not in held(net)
    assert names[0] == names[1]


def test_parameters_in_files_are_those_that_are_trained(tmp_path):
    values = []
    for hardware in (None, FOUR):
        net = network(hardware)
        with nengo_dl.Simulator(net, seed=0, progress_bar=False) as sim:
            sim.save_params(tmp_path / "params")
            with np.load(tmp_path / "params.npz") as file:
                values.append({name: file[name] for name in file.files})
    assert values[0].keys() == values[1].keys()
    for name in values[0]:
        np.testing.assert_array_equal(values[0][name], values[1][name])
