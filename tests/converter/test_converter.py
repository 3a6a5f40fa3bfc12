"""Options of the converter, look-up of what it made, and its errors."""

import keras
import nengo
import numpy as np
import pytest
import tensorflow as tf
from keras import layers as kl

import nengo_dl
from nengo_dl import Converter
from nengo_dl.converter import LayerConverter
from nengo_dl.converter.registry import REGISTRY
from tests.converter.cases import random_inputs, seeded


def small_model(activation="relu"):
    inputs = keras.Input((6, 6, 2))
    x = kl.Conv2D(3, 3, activation=activation)(inputs)
    x = kl.Flatten()(x)
    return seeded(keras.Model(inputs, kl.Dense(4)(x)))


def verify(converter, training=False, atol=1e-5, **kwargs):
    with converter.net:
        nengo_dl.configure_settings(jit_compile=False)
    inputs = random_inputs(converter.model)
    return converter.verify(training, inputs=inputs, atol=atol, **kwargs)


def test_verify_by_default():
    assert Converter(small_model(), allow_fallback=False).verify(atol=1e-5)


@pytest.mark.parametrize(
    "change",
    [lambda net: net.connections[0], lambda net: net.connections[-1]],
)
def test_verify_finds_differences(change):
    converter = Converter(small_model())
    conn = change(converter.net)
    conn.transform = nengo.transforms.Dense(
        (conn.size_out, conn.size_mid), init=np.ones((conn.size_out, conn.size_mid))
    )
    with pytest.raises(ValueError, match="expected the same values of output"):
        verify(converter)


def test_verify_counts_parameters():
    converter = Converter(small_model())
    for conn in converter.net.all_connections:
        converter.set_trainable(conn, False)
    with pytest.raises(ValueError, match="expected 253 trainable parameters.*got 0"):
        verify(converter, training=True)


def test_maps():
    model = small_model()
    converter = Converter(model)
    dense, conv, flatten = model.layers[3], model.layers[1], model.layers[2]
    node = converter.inputs[model.input]
    assert isinstance(node, nengo.Node) and node.size_out == 72
    assert converter.inputs[model.layers[0]] is node
    assert converter.inputs[model.inputs] is node
    probe = converter.outputs[model.output]
    assert probe.target is converter.layers[dense]
    neurons = converter.layers[conv]
    assert isinstance(neurons, nengo.ensemble.Neurons)
    assert converter.layers[conv.output] == neurons == converter.layers[flatten]
    assert converter.layers[[conv, dense]] == [neurons, converter.layers[dense]]
    assert len(converter.inputs) == len(converter.outputs) == 1
    assert list(converter.outputs) == [model.output]
    assert conv in converter.layers and model.input in converter.layers
    assert converter.net.inputs is converter.inputs
    assert converter.net.outputs is converter.outputs
    assert converter.net.layers is converter.layers
    assert converter.net.layer_map[dense] == [[converter.layers[dense]]]


def test_maps_refuse_other_keys():
    model = small_model()
    converter = Converter(model)
    other = small_model()
    assert other.layers[1] not in converter.layers
    for key in (other.input, other.layers[1]):
        with pytest.raises(KeyError, match="expected a tensor or a layer of"):
            converter.layers[key]
    with pytest.raises(KeyError, match="expected a name in .*got 'none'.* See"):
        converter.layers["none"]


def test_layers_called_twice_are_found_by_tensor():
    inputs = keras.Input((4,))
    relu = kl.ReLU()
    x = relu(inputs)
    y = relu(kl.Dense(4)(x))
    converter = Converter(keras.Model(inputs, [x, y]), allow_fallback=False)
    assert verify(converter, training=True)
    assert converter.layers[x] != converter.layers[y]
    with pytest.raises(KeyError, match="expected a layer that is called once"):
        converter.layers[relu]


def test_outputs_at_inputs_and_inner_layers():
    inputs = keras.Input((4,))
    x = kl.Dense(3, activation="relu")(inputs)
    y = kl.Dense(2)(x)
    converter = Converter(keras.Model(inputs, [y, x, inputs]), allow_fallback=False)
    assert verify(converter, training=True)
    assert len(converter.outputs) == 3


def test_sequential_models():
    model = keras.Sequential([keras.Input((4,)), kl.Dense(3), kl.ReLU()])
    converter = Converter(seeded(model))
    assert verify(converter, training=True)
    assert converter.layers[model.layers[0]].size_out == 3
    assert converter.outputs[converter.model.outputs].size_in == 3


def test_several_inputs_by_name():
    a, b = keras.Input((3,), name="a"), keras.Input((2, 3), name="b")
    x = kl.Concatenate()([a, kl.Flatten()(b)])
    model = keras.Model({"b": b, "a": a}, {"x": kl.Dense(2)(x), "a": kl.ReLU()(a)})
    converter = Converter(seeded(model), allow_fallback=False)
    assert verify(converter, training=True)


def inner_model(sequential):
    layers = [keras.Input((4,)), kl.Dense(4, activation="relu"), kl.Dense(4)]
    if sequential:
        return keras.Sequential(layers, name="inner")
    return keras.Model(layers[0], layers[2](layers[1](layers[0])), name="inner")


@pytest.mark.parametrize("sequential", [True, False])
def test_nested_models(sequential):
    inner = inner_model(sequential)
    inputs = keras.Input((4,))
    middle = keras.Model(inputs, kl.ReLU()(inner(inputs)))
    inputs = keras.Input((4,))
    model = seeded(keras.Model(inputs, kl.Dense(2)(middle(kl.Dense(4)(inputs)))))
    converter = Converter(model, allow_fallback=False)
    assert verify(converter, training=True)
    assert [net.label for net in converter.net.all_networks] == [middle.name, "inner"]
    assert isinstance(converter.layers[inner.layers[-2]], nengo.ensemble.Neurons)
    assert converter.layers[inner] is converter.layers[inner.layers[-1]]


@pytest.mark.parametrize("layer", [kl.Dense(4), inner_model(False)])
def test_shared_weights(layer):
    inputs = keras.Input((4,))
    model = seeded(keras.Model(inputs, layer(kl.ReLU()(layer(inputs)))))
    with pytest.raises(ValueError, match="split_shared_weights=True"):
        Converter(model)
    assert verify(Converter(model, split_shared_weights=True, allow_fallback=False))


def test_fallback_keeps_shared_weights():
    inputs = keras.Input((4, 4))
    gru = kl.GRU(4, return_sequences=True)
    model = seeded(keras.Model(inputs, gru(kl.ReLU()(gru(inputs)))))
    with pytest.warns(
        UserWarning, match="temporal_model=True .got False.. A TensorNode"
    ):
        converter = Converter(model)
    assert verify(converter, training=True)


class Swapped(kl.Layer):
    """Has two inputs, two outputs and weights."""

    def build(self, input_shape):
        self.factor = self.add_weight(shape=(input_shape[0][-1],), name="factor")

    def call(self, inputs):
        return inputs[1] - 1, inputs[0] * self.factor


FALLBACKS = {
    "group_norm": kl.GroupNormalization(1),
    "lstm": kl.LSTM(2),
    "lambda": kl.Lambda(lambda x: x**2, output_shape=(4, 3)),
    "ops": lambda x: keras.ops.cumsum(x, axis=1) + 2 * x,
    "ops_of_two_tensors": lambda x: keras.ops.matmul(x, kl.Permute((2, 1))(x)),
    "ops_with_outputs": lambda x: keras.ops.top_k(x, 2)[0],
    "ops_with_arguments": lambda x: keras.ops.cumprod(x + 2.0, axis=-1),
    "several": lambda x: kl.Add()(Swapped()([x, kl.ReLU()(x)])),
    "attention": lambda x: kl.Attention()([x, kl.Dense(3)(x)]),
    "activation": kl.Dense(2, activation=tf.sin),
    "batch_normalization": kl.BatchNormalization(),
}


@pytest.mark.parametrize("name", FALLBACKS)
def test_fallbacks(name):
    inputs = keras.Input((4, 3))
    make = FALLBACKS[name]
    model = seeded(keras.Model(inputs, kl.Dense(2)(make(inputs))))
    with pytest.raises(TypeError, match="Pass allow_fallback=True to keep it as"):
        Converter(model, allow_fallback=False)
    with pytest.warns(UserWarning, match="A TensorNode computes it"):
        converter = Converter(model)
    assert any(isinstance(n, nengo_dl.TensorNode) for n in converter.net.all_nodes)
    assert verify(converter, training=name != "batch_normalization")


def test_all_layers_at_fault_are_listed():
    inputs = keras.Input((4, 3))
    x = kl.UnitNormalization(name="first")(inputs)
    x = kl.Dense(3, kernel_regularizer="l2", name="second")(x)
    x = kl.Dense(3, activation=tf.sin, name="third")(x)
    x = kl.BatchNormalization(name="fourth")(x)
    with pytest.raises(TypeError) as error:
        Converter(keras.Model(inputs, x), allow_fallback=False)
    for name in ("first", "second", "third", "fourth"):
        assert f"Layer '{name}': " in str(error.value)


def test_inference_only():
    inputs = keras.Input((4,))
    x = kl.Dense(3, kernel_regularizer="l2")(inputs)
    x = kl.Dropout(0.5)(kl.BatchNormalization()(x))
    model = seeded(keras.Model(inputs, x))
    converter = Converter(model, allow_fallback=False, inference_only=True)
    assert verify(converter)
    with pytest.raises(ValueError, match="expected 21 trainable parameters.*got 0"):
        verify(converter, training=True)


@pytest.mark.parametrize(
    "layer",
    [kl.MaxPooling2D(2), kl.MaxPooling2D(3, padding="same"), kl.GlobalMaxPooling2D()],
)
def test_max_to_avg_pool(layer):
    inputs = keras.Input((5, 5, 2))
    model = keras.Model(inputs, layer(inputs))
    average = getattr(kl, type(layer).__name__.replace("Max", "Average"))
    config = {k: v for k, v in layer.get_config().items() if k != "name"}
    wanted = keras.Model(inputs, average.from_config(config)(inputs))
    converter = Converter(model, max_to_avg_pool=True, allow_fallback=False)
    x = random_inputs(model, 2)[0]
    with nengo_dl.Simulator(converter.net, minibatch_size=2, progress_bar=False) as sim:
        out = sim.predict(x.reshape(2, 1, -1))[converter.outputs[model.output]]
    np.testing.assert_allclose(out.ravel(), np.ravel(wanted(x)), atol=1e-5)


@pytest.mark.parametrize("activation", ["relu", "leaky_relu", "relu6"])
def test_scale_firing_rates(activation):
    model = small_model(activation)
    converter = Converter(model, scale_firing_rates=50, allow_fallback=False)
    for ensemble in converter.net.all_ensembles:
        np.testing.assert_array_equal(ensemble.gain, 50)
        assert ensemble.neuron_type.amplitude == pytest.approx(1 / 50)
    assert verify(converter, atol=1e-4)
    assert verify(converter, training=True, atol=1e-4)


def test_scale_firing_rates_by_layer():
    inputs = keras.Input((3,))
    first, second = kl.Dense(3, activation="relu"), kl.Dense(3, activation="relu")
    model = seeded(keras.Model(inputs, second(first(inputs))))
    converter = Converter(model, scale_firing_rates={first: 10.0})
    assert converter.layers[first].ensemble.gain[0] == 10
    assert converter.layers[second].ensemble.gain[0] == 1
    assert verify(converter)
    with pytest.warns(UserWarning, match="expected layers of the model"):
        Converter(model, scale_firing_rates={kl.Dense(3): 10})


def test_scale_needs_an_amplitude():
    with pytest.warns(UserWarning, match="needs a neuron type with an amplitude"):
        Converter(small_model("tanh"), scale_firing_rates=10)


@pytest.mark.parametrize("scale", [0, -1, "10", np.inf])
def test_wrong_scale(scale):
    with pytest.raises(ValueError, match="expected a positive number"):
        Converter(small_model(), scale_firing_rates=scale)


def test_parameters_do_not_depend_on_the_scale(tmp_path):
    model = small_model()
    plain = Converter(model)
    with nengo_dl.Simulator(plain.net, progress_bar=False) as sim:
        sim.save_params(tmp_path / "params")
    other = seeded(keras.models.clone_model(model), seed=5)
    scaled = Converter(other, scale_firing_rates=100)
    x = random_inputs(model, 1)[0]
    with nengo_dl.Simulator(scaled.net, progress_bar=False) as sim:
        sim.load_params(tmp_path / "params")
        out = sim.predict(x.reshape(1, 1, -1))[scaled.outputs[other.output]]
    np.testing.assert_allclose(out[:, 0], model(x), atol=1e-4)


def test_synapse():
    converter = Converter(small_model(), synapse=0.01)
    synapses = {
        isinstance(conn.pre_obj, nengo.ensemble.Neurons): conn.synapse
        for conn in converter.net.all_connections
    }
    assert synapses == {True: nengo.Lowpass(0.01), False: None}
    assert converter.net.probes[0].synapse is None
    inputs = keras.Input((3,))
    converter = Converter(keras.Model(inputs, kl.ReLU()(inputs)), synapse=0.01)
    assert converter.net.probes[0].synapse == nengo.Lowpass(0.01)


def test_temporal_models():
    inputs = keras.Input((None, 4, 3))
    x = kl.TimeDistributed(kl.Conv1D(3, 2, activation="relu"))(inputs)
    x = kl.TimeDistributed(kl.Flatten())(x)
    x = kl.Concatenate()([x, kl.Dense(2, activation="tanh")(x)])
    x = kl.SimpleRNN(3, return_sequences=True)(x)
    x = kl.TimeDistributed(inner_time_model())(x)
    model = seeded(keras.Model(inputs, x))
    converter = Converter(model, temporal_model=True, allow_fallback=False)
    with converter.net:
        nengo_dl.configure_settings(jit_compile=False)
    x = [np.random.RandomState(0).uniform(-1, 1, size=(2, 5, 4, 3))]
    assert converter.verify(inputs=x, atol=1e-5)
    assert converter.verify(training=True, inputs=x, atol=1e-5)


def inner_time_model():
    inputs = keras.Input((3,))
    return keras.Model(inputs, kl.Reshape((2, 2))(kl.Dense(4)(inputs)))


def test_temporal_models_do_not_mix_steps():
    inputs = keras.Input((5, 3))
    x = kl.Flatten()(kl.Conv1D(3, 2)(inputs))
    with pytest.raises(TypeError) as error:
        Converter(keras.Model(inputs, x), temporal_model=True)
    assert "Conv1D, which mixes them" in str(error.value)
    assert "Flatten, which mixes them" in str(error.value)


def norm(axis):
    return kl.BatchNormalization(axis=axis, trainable=False)


@pytest.mark.parametrize(
    "make",
    [
        *(
            lambda axis=axis: kl.TimeDistributed(kl.Softmax(axis))
            for axis in (1, 2, -2)
        ),
        *(lambda axis=axis: kl.Softmax(axis) for axis in (2, 3, -2, (2, 3))),
        *(lambda axis=axis: kl.TimeDistributed(norm(axis)) for axis in (1, 2, -2)),
        *(lambda axis=axis: norm(axis) for axis in (2, 3, -2)),
    ],
)
def test_axes_in_temporal_models(make):
    inputs = keras.Input((4, 5, 3))
    model = seeded(keras.Model(inputs, make()(inputs)))
    converter = Converter(model, temporal_model=True, allow_fallback=False)
    assert verify(converter)


@pytest.mark.parametrize("make", [kl.Softmax, norm])
@pytest.mark.parametrize("axis", [1, -3])
def test_axes_do_not_mix_steps(make, axis):
    inputs = keras.Input((4, 5, 3))
    model = keras.Model(inputs, make(axis)(inputs))
    with pytest.raises(TypeError, match=r"of the signal \(got axis="):
        Converter(model, temporal_model=True)


WITHOUT_NATIVE_FORM = {
    "normalization": kl.LayerNormalization(),
    "norm": kl.UnitNormalization(),
    "recurrent": kl.LSTM(2),
    "regularized": kl.Dense(2, kernel_regularizer="l2"),
    "function": kl.Lambda(keras.ops.sin),
    "distributed": kl.TimeDistributed(kl.Softmax(axis=1)),
}


def test_time_distributed_layers_fall_back():
    inputs = keras.Input((4, 3, 2))
    outputs = [
        kl.TimeDistributed(layer)(inputs) for layer in WITHOUT_NATIVE_FORM.values()
    ]
    model = seeded(keras.Model(inputs, outputs))
    converter = Converter(model, temporal_model=True)
    with converter.net:
        nengo_dl.configure_settings(jit_compile=False)
    assert converter.verify(atol=1e-5)
    x = [np.random.RandomState(0).uniform(-1, 1, size=(2, 4, 3, 2))]
    assert converter.verify(inputs=x, atol=1e-5)


def over_time(axis):
    """List layers that work along an axis, which may be that of time."""
    return [
        kl.Softmax(axis=axis),
        kl.BatchNormalization(axis=axis),
        kl.Concatenate(axis=axis),
    ]


@pytest.mark.parametrize("axis, layers", [(2, over_time(2)), (-1, over_time(-1))])
def test_temporal_models_work_along_axes_of_the_signal(axis, layers):
    inputs = keras.Input((4, 3, 2))
    outputs = [
        layer([inputs, inputs] if isinstance(layer, kl.Concatenate) else inputs)
        for layer in layers
    ]
    converter = Converter(
        seeded(keras.Model(inputs, outputs)),
        temporal_model=True,
        inference_only=True,
        allow_fallback=False,
    )
    with converter.net:
        nengo_dl.configure_settings(jit_compile=False)
    x = [np.random.RandomState(0).uniform(-1, 1, size=(2, 4, 3, 2))]
    assert converter.verify(inputs=x, atol=1e-5)


@pytest.mark.parametrize("layer", [*over_time(1), *over_time(-3)])
def test_temporal_models_do_not_work_along_the_time(layer):
    inputs = keras.Input((4, 3, 2))
    x = [inputs, inputs] if isinstance(layer, kl.Concatenate) else inputs
    model = keras.Model(inputs, layer(x))
    with pytest.raises(TypeError, match="expected axes of the signal"):
        Converter(model, temporal_model=True, inference_only=True)


def test_time_distributed_needs_time():
    inputs = keras.Input((5, 3))
    model = keras.Model(inputs, kl.TimeDistributed(kl.Dense(2))(inputs))
    with pytest.raises(TypeError, match="expected temporal_model=True"):
        Converter(model)


def test_unknown_shapes():
    inputs = keras.Input((None, 3))
    model = keras.Model(inputs, kl.Dense(2)(inputs))
    with pytest.raises(ValueError, match="temporal_model=True if the axis is time"):
        Converter(model)
    with pytest.raises(ValueError, match="without an input shape"):
        Converter(keras.Sequential([kl.Dense(3)]))


class Subclassed(keras.Model):
    def call(self, x):
        return x


@pytest.mark.parametrize("model", [Subclassed(), kl.Dense(3), None])
def test_wrong_models(model):
    with pytest.raises(TypeError, match="expected a"):
        Converter(model)


class Double(kl.Layer):
    def call(self, x):
        return 2 * x


@pytest.fixture
def registry(monkeypatch):
    monkeypatch.setattr(Converter, "converters", dict(REGISTRY))


def double_model():
    inputs = keras.Input((2, 3))
    double = Double()
    return keras.Model(inputs, double(kl.ReLU()(double(inputs))))


def test_register_functions(registry):
    @Converter.register(Double)
    def convert_double(call, build):
        node = build.units()
        build.connect(node, transform=2)
        return node

    assert verify(Converter(double_model(), allow_fallback=False))
    with pytest.warns(UserWarning, match="Double had a converter, which is replaced"):
        Converter.register(Double)(convert_double)


def test_register_classes(registry):
    @Converter.register(Double)
    class ConvertDouble(LayerConverter):
        unsupported_args = [("dtype", "float32")]

        def convert(self, node_id):
            assert self.input_shape(node_id) == (2, 3)
            assert self.output_shape(node_id, full_shape=True) == (None, 2, 3)
            obj = self.add_nengo_obj(node_id, biases=np.zeros(6))
            conn = self.add_connection(node_id, obj, transform=2, trainable=False)
            assert conn.pre_obj == self.get_input_obj(node_id)
            self.set_trainable(conn, False)
            return obj

    model = double_model()
    converter = Converter(model, allow_fallback=False)
    assert verify(converter)
    found = converter.get_converter(model.layers[1])
    assert isinstance(found, ConvertDouble)
    ConvertDouble.unsupported_args = [("dtype", "float64")]
    with pytest.raises(TypeError, match="expected dtype='float64'"):
        Converter(model, allow_fallback=False)
