"""What a TensorNode computes: a function or Keras layer, and how it is called.

`TensorFunction` takes and returns tensors, with the minibatch axis first; the operator
`SimTensorNode` says which signals they come from and go to.
"""

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras
import tensorflow as tf
from nengo.builder.operator import Operator
from nengo.exceptions import SimulationError, ValidationError

Shape = tuple[int, ...]


@dataclass(frozen=True, eq=False)
class TensorFunction:
    """A function or a Keras layer, together with what it is called with.

    Parameters
    ----------
    func : callable
        A function of tensors, or a Keras layer, which is used itself, never a copy.
    shape_in : tuple of int or None
        Shape of the input without the minibatch axis; None if there is no input.
    pass_time : bool
        Whether the time is passed.
    name : str
        Whose function it is, for messages.
    """

    func: Callable[..., Any]
    shape_in: Shape | None
    pass_time: bool
    name: str

    @property
    def layer(self) -> keras.Layer | None:
        """The function, if it is a Keras layer or model."""
        return self.func if isinstance(self.func, keras.Layer) else None

    def __call__(self, *args: tf.Tensor, training: bool = False) -> Any:
        """Call it on the time and the input, as far as it takes them.

        Parameters
        ----------
        \\*args : tensor
            The time, a scalar in seconds, and the input, of shape (minibatch_size,
            \\*shape_in). A Keras layer gets both as one list.
        training : bool
            For Keras layers, and those inside of them.
        """
        if self.layer is None:
            return self.func(*args)
        return self.layer(_one_argument(args), training=training)

    def zeros(self, dtype: Any, minibatch_size: int = 1) -> tuple[tf.Tensor, ...]:
        """Make arguments that are all zeros."""
        shapes: list[Shape] = [()] if self.pass_time else []
        if self.shape_in is not None:
            shapes.append((minibatch_size, *self.shape_in))
        return tuple(tf.zeros(shape, dtype) for shape in shapes)

    def infer_shape_out(self, dtype: Any) -> Shape:
        """Find the shape of the result, without the minibatch axis.

        A Keras layer stays as it is where its shapes say enough; everything else is
        called once, on a single item of zeros.

        Parameters
        ----------
        dtype : dtype
            Of the arguments.

        Returns
        -------
        shape_out : tuple of int

        Raises
        ------
        ValidationError
            If the call fails, or does not return a tensor of known shape.
        """
        try:
            result = self._static_result(dtype)
            if result is None:
                with tf.init_scope():
                    result = self(*self.zeros(dtype))
        except Exception as exc:
            raise self.call_error(exc) from exc
        if not isinstance(result, tf.Tensor | keras.KerasTensor):
            raise self.error("one tensor", describe(result), "Return a tensor.")
        shape = tuple(result.shape)
        if not shape or None in shape[1:]:
            raise self.error(
                "a tensor with a minibatch axis and a known shape",
                f"shape {shape}",
                "Keep the first axis of the input; pass shape_out if it is needed.",
            )
        return shape[1:]

    def call_error(self, exc: Exception) -> ValidationError:
        """Make the error for a call that failed."""
        shapes = [tuple(x.shape) for x in self.zeros("float32")]
        gets = ["a list"] if self.layer is not None and len(shapes) > 1 else []
        return self.error(
            f"a tensor when it is called with {' of '.join([*gets, _listed(shapes)])}",
            f"{type(exc).__name__}: {exc}",
            "Try the call outside of the network.",
        )

    def error(self, expected: str, got: str, advice: str) -> ValidationError:
        """Make the error for a function that does not return what it should."""
        if self.pass_time and self.shape_in is not None:
            what = "[t, x]" if self.layer is not None else "(t, x)"
            advice += f" It is called with {what}; pass_time=False passes x alone."
        return ValidationError(
            f"expected the function of {self.name} to return {expected} (got {got}). "
            f"{advice}",
            attr="tensor_func",
        )

    def _static_result(self, dtype: Any) -> keras.KerasTensor | None:
        """Return what a layer's shapes tell of its result, if they do."""
        if self.layer is None:
            return None
        args = [keras.KerasTensor(x.shape, dtype) for x in self.zeros(dtype)]
        # many layers without weights as yet cannot be traced; they can be called
        with contextlib.suppress(Exception):
            result = self.layer.compute_output_spec(_one_argument(args))
            if isinstance(result, keras.KerasTensor) and None not in result.shape[1:]:
                return result
        return None


def run_elsewhere(t, x=None):
    """Stand in for the output of a `TensorNode` in simulators that cannot run it.

    Raises
    ------
    SimulationError
        Always.
    """
    del t, x
    raise SimulationError(
        "TensorNode: expected to be run by nengo_dl (got another simulator). Use "
        "nengo_dl.Simulator, or replace the TensorNode by Nengo objects."
    )


class SimTensorNode(Operator):
    """Compute the output of a `TensorNode`.

    Parameters
    ----------
    function : `TensorFunction`
        What to compute.
    time : Signal or None
        The time in seconds, where the function takes it.
    input : Signal or None
        The input, flattened, where the function takes one.
    output : Signal
        The output, flattened.
    tag : str, optional
        A label for messages.

    Notes
    -----
    1. sets ``[output]``
    2. incs ``[]``
    3. reads ``[time, input]``, those that are not None
    4. updates ``[]``
    """

    def __init__(self, function, time, input, output, tag=None):
        super().__init__(tag=tag)
        self.function = function
        self.sets = [output]
        self.incs = []
        self.reads = [signal for signal in (time, input) if signal is not None]
        self.updates = []

    @property
    def output(self):
        """(Signal) The output, flattened."""
        return self.sets[0]

    def make_step(self, signals, dt, rng):
        """Return a function that tells which simulator to use."""
        del signals, dt, rng
        return lambda: run_elsewhere(None)


def describe(value: Any) -> str:
    """Say what a value is, for a message."""
    if isinstance(value, tf.Tensor):
        return f"a {value.dtype.name} tensor of shape {tuple(value.shape)}"
    return f"{value!r} of type {type(value).__name__}"


def _one_argument(args):
    return args[0] if len(args) == 1 else list(args)


def _listed(shapes: list[Shape]) -> str:
    return " and ".join(f"a tensor of shape {shape}" for shape in shapes)
