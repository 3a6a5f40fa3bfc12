"""Kinds of NIR nodes: which fields they have, and what they do to shapes.

There is one `Kind` for each type of node. Checks of fields take whatever another
library has put there (arrays, tensors on the CPU, scalars of NumPy), and return plain
values or raise `InvalidValue`.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from nengo_dl.errors import InvalidValue

Shape: TypeAlias = tuple[int, ...]
Values: TypeAlias = dict[str, Any]

# Elements of a signal, and of the index of a convolution; about 1 GB
MAX_SIZE = 2**27
MISSING = object()


@dataclass(frozen=True)
class Field:
    """A field of a node: how it is checked, and its value if a file leaves it out."""

    check: Callable[[Any], Any]
    default: Any = MISSING


@dataclass(frozen=True)
class Kind:
    """A type of node.

    Parameters
    ----------
    fields : mapping of str to `Field`
        All that it has.
    shapes : callable
        ``shapes(values, shape)`` returns the shapes of the input and the output, for
        the shape of what arrives, or None if that is not known; None if this does not
        say it. Raises `InvalidValue` if the values do not fit.
    is_stateful : bool
        Whether it keeps something from step to step, so that a cycle may go through it.
    """

    fields: Mapping[str, Field]
    shapes: Callable[[Values, Shape | None], tuple[Shape, Shape] | None]
    is_stateful: bool = False


# --- checks of fields -------------------------------------------------------------


def numbers(value: Any) -> np.ndarray:
    """Return finite real numbers, in single or double precision."""
    try:
        array = np.asarray(value)
    except Exception as error:  # whatever a tensor on another device raises
        raise InvalidValue(f"expected an array (got {type(value).__name__})") from error
    if array.dtype.kind not in "fiub":
        raise InvalidValue(f"expected numbers (got an array of {array.dtype})")
    if array.dtype != np.float32:
        array = array.astype(float)
    if not np.all(np.isfinite(array)):
        n_bad = int(np.sum(~np.isfinite(array)))
        raise InvalidValue(f"expected finite numbers (got {n_bad} that are not)")
    return array


def positive(value: Any) -> np.ndarray:
    """Return finite numbers above zero."""
    array = numbers(value)
    if np.any(array <= 0):
        raise InvalidValue(f"expected positive numbers (got {array.min():g})")
    return array


def with_axes(n: int) -> Callable[[Any], np.ndarray]:
    """Return a check for arrays with a number of axes."""

    def check(value: Any) -> np.ndarray:
        array = numbers(value)
        if array.ndim != n or not array.size:
            raise InvalidValue(f"expected {n} axes (got shape {array.shape})")
        return array

    return check


def integers(value: Any) -> Shape:
    """Return integers, of which a single number is one."""
    array = np.atleast_1d(numbers(value))
    if array.ndim != 1 or np.any(array != np.round(array)) or np.any(array < 0):
        raise InvalidValue(f"expected whole numbers of at least 0 (got {value})")
    return tuple(int(x) for x in array)


def whole(value: Any) -> int:
    """Return a whole number, which may be negative."""
    array = numbers(value)
    if array.size != 1 or np.any(array != np.round(array)):
        raise InvalidValue(f"expected a whole number (got {value})")
    return int(array.ravel()[0])


def counts(value: Any) -> Shape:
    """Return whole numbers above zero."""
    found = integers(value)
    if 0 in found:
        raise InvalidValue(f"expected whole numbers of at least 1 (got {value})")
    return found


def shape(value: Any) -> Shape | None:
    """Return a shape, or None if there is none."""
    if value is None:
        return None
    found = counts(value) if np.size(value) else ()
    _check_size(found)
    return found


def padding(value: Any) -> Shape | str:
    """Return paddings along axes, or the name of a rule."""
    if isinstance(value, str | bytes):
        name = value.decode() if isinstance(value, bytes) else value
        if name not in ("same", "valid"):
            raise InvalidValue(f"expected 'same', 'valid' or numbers (got {name!r})")
        return name
    return integers(value)


def optional(check: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Return a check that takes None, too."""
    return lambda value: None if value is None else check(value)


def _check_size(found: Shape) -> Shape:
    if math.prod(found) > MAX_SIZE:
        raise InvalidValue(
            f"expected signals of at most {MAX_SIZE:,} elements (got shape {found})"
        )
    return found


# --- shapes -----------------------------------------------------------------------


def elementwise(values: Values, arriving: Shape | None):
    """Arrays of one shape, in which single numbers count for all elements."""
    arrays = {name: x for name, x in values.items() if isinstance(x, np.ndarray)}
    found = {x.shape for x in arrays.values() if x.size > 1}
    if len(found) > 1:
        raise InvalidValue(f"expected arrays of one shape (got {_shapes(arrays)})")
    if not found:
        return None if arriving is None else (arriving, arriving)
    (own,) = found
    return _check_size(own), own


def _shapes(arrays: Mapping[str, np.ndarray]) -> str:
    return ", ".join(f"{name} {x.shape}" for name, x in arrays.items())


def _same(values: Values, arriving: Shape | None):
    own = arriving if values.get("shape") is None else values["shape"]
    return None if own is None else (own, own)


def _flatten(values: Values, arriving: Shape | None):
    own = arriving if values["input_type"] is None else values["input_type"]
    if own is None:
        return None
    n = len(own)
    first, last = (
        i + n if i < 0 else i for i in (values["start_dim"], values["end_dim"])
    )
    last = min(last, n - 1)
    if not 0 <= first <= last:
        # axes may be counted with that of the minibatch
        first, last = 0, n - 1
    flat = (*own[:first], math.prod(own[first : last + 1]), *own[last + 1 :])
    return own, flat


def _matrix(values: Values, arriving: Shape | None):
    n_out, n_in = values["weight"].shape
    bias = values.get("bias")
    if bias is not None and bias.shape != (n_out,):
        raise InvalidValue(f"expected bias of shape {(n_out,)} (got {bias.shape})")
    return (n_in,), (n_out,)


@dataclass(frozen=True)
class Windows:
    """Windows of a convolution or a pooling: numbers for each spatial axis."""

    kernel: Shape
    stride: Shape
    before: Shape  # padding before an axis
    after: Shape
    dilation: Shape

    def lengths(self, space: Shape) -> Shape:
        """Return how many windows there are along each axis."""
        found = tuple(
            (n + low + high - d * (k - 1) - 1) // s + 1
            for n, low, high, d, k, s in zip(
                space,
                self.before,
                self.after,
                self.dilation,
                self.kernel,
                self.stride,
                strict=True,
            )
        )
        if min(found) < 1:
            raise InvalidValue(
                f"expected an input at least as large as a window (got {space} for "
                f"windows of {self.kernel})"
            )
        return found

    def padded(self, space: Shape) -> Shape:
        """Return the shape of the input with its padding."""
        sizes = zip(space, self.before, self.after, strict=True)
        return tuple(n + low + high for n, low, high in sizes)


def windows(values: Values) -> Windows:
    """Return the windows of a convolution or a pooling."""
    is_pooling = "kernel_size" in values
    n = 2 if is_pooling else values["weight"].ndim - 2
    kernel = values["kernel_size"] if is_pooling else values["weight"].shape[2:]
    kernel, stride = _each(kernel, n), _each(values["stride"], n)
    dilation = _each(values.get("dilation", (1,)), n)
    padding = values["padding"]
    if padding == "same":
        total = tuple(d * (k - 1) for d, k in zip(dilation, kernel, strict=True))
        if max(stride) > 1:
            raise InvalidValue(f"expected stride 1 with padding 'same' (got {stride})")
        before = tuple(t // 2 for t in total)
        after = tuple(t - b for t, b in zip(total, before, strict=True))
    else:
        before = after = (0,) * n if padding == "valid" else _each(padding, n)
    return Windows(kernel, stride, before, after, dilation)


def _each(numbers: Shape, n: int) -> Shape:
    found = numbers * n if len(numbers) == 1 else numbers
    if len(found) != n:
        raise InvalidValue(f"expected {n} numbers, or one (got {numbers})")
    return found


def _spatial(values: Values, arriving: Shape | None, n: int) -> Shape | None:
    """Return channels and space of what arrives, without leading axes of length 1."""
    declared = values.get("input_shape")
    if arriving is None:
        if declared is None or "weight" not in values:
            return None
        return (values["weight"].shape[1] * values["groups"], *declared)
    found = arriving
    while len(found) > n + 1 and found[0] == 1:
        found = found[1:]
    if len(found) != n + 1:
        raise InvalidValue(f"expected channels and {n} spatial axes (got {arriving})")
    if declared is not None and declared != found[1:]:
        raise InvalidValue(f"expected input_shape {found[1:]} (got {declared})")
    return found


def _convolution(values: Values, arriving: Shape | None):
    weight, groups = values["weight"], values["groups"]
    found = _spatial(values, arriving, weight.ndim - 2)
    if values["bias"] is not None and values["bias"].shape != weight.shape[:1]:
        raise InvalidValue(
            f"expected bias of shape {weight.shape[:1]} (got {values['bias'].shape})"
        )
    if groups < 1 or weight.shape[0] % groups:
        raise InvalidValue(
            f"expected groups that divide {weight.shape[0]} filters (got {groups})"
        )
    chosen = windows(values)
    if found is None:
        return None
    if found[0] != weight.shape[1] * groups:
        raise InvalidValue(
            f"expected {weight.shape[1] * groups} channels, as the weights have (got "
            f"{found[0]})"
        )
    return _through(found, weight.shape[0], chosen)


def _pooling(values: Values, arriving: Shape | None):
    found, chosen = _spatial(values, arriving, 2), windows(values)
    return None if found is None else _through(found, found[0], chosen)


def _through(found: Shape, channels: int, chosen: Windows) -> tuple[Shape, Shape]:
    lengths = chosen.lengths(found[1:])
    _check_size((found[0], *chosen.padded(found[1:])))
    _check_size((math.prod(lengths), math.prod(chosen.kernel)))
    return found, _check_size((channels, *lengths))


# --- the kinds --------------------------------------------------------------------


def _fields(check: Callable, names: str) -> dict[str, Field]:
    return {name: Field(check) for name in names.split()}


WINDOWS = {"stride": Field(counts), "padding": Field(padding)}
CONVOLUTION = {
    **WINDOWS,
    "dilation": Field(counts, (1,)),
    "groups": Field(whole, 1),
    "bias": Field(optional(with_axes(1)), None),
    "input_shape": Field(shape, None),
}
LEAK = _fields(numbers, "r v_leak")
SPIKING = {
    "v_threshold": Field(positive),
    "v_reset": Field(optional(numbers), None),
}
SYNAPSE = {**_fields(positive, "tau_syn tau_mem"), "w_in": Field(numbers, 1.0)}

KINDS: Mapping[str, Kind] = {
    **dict.fromkeys(("Input", "Output"), Kind({"shape": Field(shape)}, _same)),
    "Flatten": Kind(
        {
            "input_type": Field(shape, None),
            "start_dim": Field(whole, 1),
            "end_dim": Field(whole, -1),
        },
        _flatten,
    ),
    "Affine": Kind(
        {"weight": Field(with_axes(2)), "bias": Field(with_axes(1))}, _matrix
    ),
    "Linear": Kind({"weight": Field(with_axes(2))}, _matrix),
    "Scale": Kind({"scale": Field(numbers)}, elementwise),
    "Threshold": Kind({"threshold": Field(positive)}, elementwise),
    "Conv1d": Kind({"weight": Field(with_axes(3)), **CONVOLUTION}, _convolution),
    "Conv2d": Kind({"weight": Field(with_axes(4)), **CONVOLUTION}, _convolution),
    **dict.fromkeys(
        ("AvgPool2d", "SumPool2d"),
        Kind({"kernel_size": Field(counts), **WINDOWS}, _pooling),
    ),
    "Delay": Kind({"delay": Field(numbers)}, elementwise, True),
    "I": Kind({"r": Field(numbers)}, elementwise, True),
    "IF": Kind({"r": Field(numbers), **SPIKING}, elementwise, True),
    "LI": Kind({"tau": Field(positive), **LEAK}, elementwise, True),
    "LIF": Kind({"tau": Field(positive), **LEAK, **SPIKING}, elementwise, True),
    "CubaLI": Kind({**SYNAPSE, **LEAK}, elementwise, True),
    "CubaLIF": Kind({**SYNAPSE, **LEAK, **SPIKING}, elementwise, True),
}
