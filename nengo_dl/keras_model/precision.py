"""The same network in another precision."""

from nengo_dl.keras_model.layer import EngineLayer


def in_precision(layer: EngineLayer, dtype: str, stateful: bool = False) -> EngineLayer:
    """Return a layer with weights of its own, which computes in a precision.

    Parameters
    ----------
    layer : `EngineLayer`
        The layer of the network.
    dtype : str
        "float32" or "float64".
    stateful : bool
        Whether the new layer keeps its state.
    """
    names = {node: name for name, node in layer.reader.nodes.items()}
    return EngineLayer(
        layer.engine.variant(layer.engine.minibatch_size, dtype=dtype),
        {**names, **layer.output_names},
        tuple(layer.input_names),
        stateful=stateful,
    )
