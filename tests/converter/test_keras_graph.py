"""The private names of Keras that the converter relies on, one test each."""

import keras
from keras import layers as kl

from nengo_dl.converter import keras_graph


def test_nodes_by_depth():
    """``Function._nodes_by_depth`` holds all calls, by depth from the outputs."""
    inputs = keras.Input((3,))
    dense, relu = kl.Dense(3), kl.ReLU()
    x = relu(dense(inputs))
    y = relu(x)
    model = keras.Model(inputs, [kl.Add()([y, inputs]), x])
    found = keras_graph.calls(model)
    assert [call.layer for call in found[:3]] == [dense, relu, relu]
    assert found[0].inputs == (model.inputs[0],)
    assert found[1].outputs[0] is x and found[2].outputs[0] is y
    assert found[3].input_shapes == ((3,), (3,)) and found[3].output_shape == (3,)


def test_functional_of_sequential():
    """``Sequential._functional`` is None without shapes, and else the graph."""
    layers = [kl.Dense(3), kl.ReLU()]
    assert not keras_graph.is_graph(keras.Sequential(layers))
    model = keras.Sequential([keras.Input((2,)), *layers])
    assert keras_graph.is_graph(model)
    assert [call.layer for call in keras_graph.calls(model)] == layers


def test_other_layers_are_no_graphs():
    class Subclassed(keras.Model):
        def call(self, x):
            return x

    assert not keras_graph.is_graph(kl.Dense(3))
    assert not keras_graph.is_graph(Subclassed())


def test_calls_are_replayed_with_their_arguments():
    inputs = [keras.Input((2, 3)), keras.Input((4, 3))]
    attention = kl.Attention()
    model = keras.Model(inputs, attention(inputs[::-1], use_causal_mask=True))
    (call,) = keras_graph.calls(model)
    seen = []

    def spy(*args, **kwargs):
        seen.append((args, kwargs))

    call.replay(spy, ["a", "b"])
    ((args, kwargs),) = seen
    assert args == (["a", "b"],) and kwargs["use_causal_mask"] is True
    assert call.inputs[0] is inputs[1]


def test_time_is_left_out_of_shapes():
    inputs = keras.Input((None, 3))
    (call,) = keras_graph.calls(keras.Model(inputs, kl.Dense(2)(inputs)), 2)
    assert call.input_shape == (3,) and call.output_shape == (2,)
