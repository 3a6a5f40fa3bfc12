"""A network that a module of torch runs, compiled for the precisions in use."""

from collections.abc import Callable
from typing import Any

import nengo

from nengo_dl.keras_model.layer import EngineLayer
from nengo_dl.keras_model.nengo_layer import NengoLayer
from nengo_dl.keras_model.precision import in_precision
from nengo_dl.torch.compiled import CompiledNetwork


class SharedNetwork:
    """A network with its compiled functions, which copies of a module share.

    Parameters
    ----------
    network : Network or callable
        The network, or a function that makes it.
    **arguments
        Other arguments of `NengoLayer`.

    Attributes
    ----------
    layer : `NengoLayer`
        The network as a Keras layer.
    """

    def __init__(
        self, network: nengo.Network | Callable[[], nengo.Network], **arguments: Any
    ):
        self._network, self._arguments = network, arguments
        self.layer = NengoLayer(network, **arguments)
        self._compiled: dict[str, CompiledNetwork] = {}

    @property
    def precision(self) -> str:
        """(str) The precision that the network was built in."""
        return self.layer.engine.dtype.name

    def compiled(self, precision: str | None = None) -> CompiledNetwork:
        """Return the network's functions in a precision, by default its own."""
        precision = precision or self.precision
        if precision not in self._compiled:
            layer: EngineLayer = self.layer
            if precision != self.precision:
                layer = in_precision(layer, precision, layer.stateful)
            self._compiled[precision] = CompiledNetwork(layer)
        return self._compiled[precision]

    def __deepcopy__(self, memo: dict[int, Any]) -> "SharedNetwork":
        return self

    def __reduce__(self):
        by_name = {
            "inputs": list(self.layer.input_names.values()),
            "outputs": list(self.layer.output_names.values()),
        }
        return _made_again, (self._network, {**self._arguments, **by_name})


def _made_again(
    network: nengo.Network | Callable[[], nengo.Network], arguments: dict[str, Any]
) -> SharedNetwork:
    return SharedNetwork(network, **arguments)
