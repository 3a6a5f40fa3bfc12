"""Helpers for tests of networks as Keras layers."""

import numpy as np

from nengo_dl.engine.engine import Engine
from nengo_dl.graph.nengo_model import build_model
from nengo_dl.graph.program import from_model, input_nodes
from nengo_dl.keras_model.layer import EngineLayer
from nengo_dl.names import unique_names
from nengo_dl.settings import Settings


def make_layer(net, minibatch_size=None, stateful=False, engine=None, **settings):
    """Make a layer of a network, all of whose input nodes are given."""
    settings = Settings(**{"dtype": "float64", **settings})
    model = build_model(net, 0.001, settings.dtype)
    nodes = input_nodes(net)
    made = Engine(
        from_model(model, settings.inference_only),
        settings,
        dt=0.001,
        minibatch_size=minibatch_size,
        **(engine or {}),
    )
    return EngineLayer(
        made, unique_names(nodes, model.probes), nodes, stateful=stateful
    )


def draw_inputs(layer, n_items, n_steps, seed=0):
    """Draw inputs for all nodes of a layer."""
    rng = np.random.RandomState(seed)
    return {
        name: rng.normal(size=(n_items, n_steps, node.size_out)).astype(
            layer.engine.dtype
        )
        for node, name in layer.input_names.items()
    } or {"time": np.zeros((n_items, n_steps, 0))}
