"""Functions of each element that are no activations, and those that do nothing."""

import keras

from nengo_dl.converter.build import Build
from nengo_dl.converter.keras_graph import LayerCall
from nengo_dl.converter.operands import broadcast
from nengo_dl.converter.operators import existing, function_name
from nengo_dl.converter.options import Options
from nengo_dl.converter.populations import Obj
from nengo_dl.converter.registry import register
from nengo_dl.nodes.array_functions import ELEMENTWISE
from nengo_dl.nodes.array_node import Function


def _is_real(call: LayerCall, options: Options) -> str | None:
    del options
    if call.outputs[0].dtype.startswith("complex"):
        return "expected real numbers (got complex ones)"
    return None


def computed(call: LayerCall, build: Build, name: str, arguments=()):
    """Return a node that computes a function of the first input."""
    shape = call.output_shape or (1,)
    node = build.array_node(Function(shape, shape, name, tuple(arguments)))
    build.connect(node, take=broadcast(call, 0))
    return node


@register(
    *existing(keras.ops, *ELEMENTWISE),
    temporal=True,
    check=_is_real,
    native="a node that computes it",
)
def convert_elementwise(call: LayerCall, build: Build) -> Obj:
    """Convert a function of each element for itself."""
    return computed(call, build, function_name(call.layer))


def _is_number(call: LayerCall, options: Options) -> str | None:
    after = call.outputs[0].dtype
    if after == "bool" or after == "string":
        return f"expected a cast to numbers (got {after})"
    return _is_real(call, options)


@register(
    keras.ops.cast,
    temporal=True,
    check=_is_number,
    native="nothing; a node that cuts off decimals, for integers",
    restrictions="to numbers",
)
def convert_cast(call: LayerCall, build: Build) -> Obj:
    """Convert a cast: values are floats, whatever they stand for."""
    before, after = call.inputs[0].dtype, call.outputs[0].dtype
    if "float" in before and "int" in after:
        return computed(call, build, "trunc")
    return build.input()


@register(keras.ops.stop_gradient, temporal=True, trains=True, native="nothing")
@register(keras.ops.real, temporal=True, check=_is_real, native="nothing")
def convert_identity(call: LayerCall, build: Build) -> Obj:
    """Convert a function whose value is its argument."""
    del call
    return build.input()
