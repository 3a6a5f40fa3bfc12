"""The function or Keras layer of a TensorNode, and its operator.

A `TensorFunction` takes and returns tensors with the minibatch axis first. The operator
`SimTensorNode` has the signals of these tensors.
"""

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import keras
import tensorflow as tf
from nengo.builder.operator import Operator
from nengo.exceptions import SimulationError, ValidationError

from nengo_dl.nodes.modules import ModuleLayer
from nengo_dl.nodes.recurrent_cell import RecurrentCell, Shape, find_cell


class Outcome(NamedTuple):
    """The results of a call in a simulation.

    Parameters
    ----------
    result : object
        The result of the function.
    states : sequence of tensor
        The states of a cell after the call.
    losses : tuple of scalar tensor
        The losses of ``add_loss`` and activity regularizers, of a layer and of all
        layers inside of it.
    """

    result: Any
    states: Sequence[tf.Tensor] = ()
    losses: tuple[tf.Tensor, ...] = ()


class _Assignments(keras.StatelessScope):
    """A scope that keeps assignments to variables, to do them afterwards.

    Such variables are, e.g., the averages of normalisations. Not all of them are among
    the variables of a layer.
    """

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self._assigned: dict[int, tuple[Any, Any]] = {}

    def add_update(self, update: tuple[Any, Any]) -> None:
        """Add a variable and its new value."""
        super().add_update(update)
        self._assigned[id(update[0])] = update

    def assign(self, but_not: set[int]) -> None:
        """Assign all values, except to some variables, given by id."""
        for key, (variable, value) in self._assigned.items():
            if key not in but_not:
                variable.assign(value)


@dataclass(frozen=True, eq=False)
class TensorFunction:
    """A function or a Keras layer, with the form of its arguments.

    Parameters
    ----------
    func : callable
        A function of tensors, or a Keras layer, which is never copied.
    shape_in : tuple of int or None
        Shape of the input without the minibatch axis; None if there is no input.
    pass_time : bool
        Whether the time is passed.
    name : str
        The owner of the function, for messages.
    """

    func: Callable[..., Any]
    shape_in: Shape | None
    pass_time: bool
    name: str

    @property
    def layer(self) -> keras.Layer | None:
        """The function, if it is a Keras layer or model."""
        return self.func if isinstance(self.func, keras.Layer) else None

    @cached_property
    def cell(self) -> RecurrentCell | None:
        """The recurrent cell of the layer, if it does one step of a sequence.

        Raises
        ------
        ValidationError
            If a recurrent layer needs later steps, too.
        """
        return find_cell(self.layer, self.shape_in, self.name)

    def initial_states(self, minibatch_size: int = 1) -> list[tf.Tensor]:
        """Return the first states of a cell; for other layers, an empty list."""
        if self.cell is None:
            return []
        try:
            with tf.init_scope():
                return self.cell.initial_states(minibatch_size)
        except Exception as exc:
            raise self.call_error(exc) from exc

    def __call__(
        self,
        *args: tf.Tensor,
        states: Sequence[tf.Tensor] = (),
        training: bool = False,
    ) -> tuple[Any, list[tf.Tensor]]:
        """Call the function on the time and the input, as far as it takes them.

        Parameters
        ----------
        \\*args : tensor
            The time, a scalar in seconds, and the input, of shape (minibatch_size,
            \\*shape_in). A Keras layer gets both as one list.
        states : sequence of tensor
            The states of a cell.
        training : bool
            Passed to Keras layers, for all layers inside of them.

        Returns
        -------
        result : object
            The result of the function.
        states : list of tensor
            The states of a cell after the call.
        """
        if self.layer is None:
            return self.func(*args), []
        if self.cell is not None:
            return self.cell(_one_argument(args), states, training)
        return self.layer(_one_argument(args), training=training), []

    def run(
        self,
        *args: tf.Tensor,
        states: Sequence[tf.Tensor] = (),
        training: bool = False,
        seed: tf.Tensor | int = 0,
    ) -> Outcome:
        """Call the function as part of a simulation, and return all its effects.

        Losses of a call are tensors of the caller's graph, so a layer must not keep
        them. Losses of weights are not losses of a call.

        Parameters
        ----------
        \\*args, states, training
            See `__call__`.
        seed : int32 scalar tensor
            Seed of the random numbers that a cell draws once for a sequence.
        """
        if self.layer is None:
            return Outcome(*self(*args))
        kept = [] if self.cell is None else self.cell.mask_seeds(seed)
        with _Assignments(kept, collect_losses=True) as scope:
            result, after = self(*args, states=states, training=training)
        scope.assign(but_not={id(variable) for variable, _ in kept})
        return Outcome(result, after, tuple(scope.losses))

    def zeros(self, dtype: Any, minibatch_size: int = 1) -> tuple[tf.Tensor, ...]:
        """Make arguments that are all zeros."""
        shapes: list[Shape] = [()] if self.pass_time else []
        if self.shape_in is not None:
            shapes.append((minibatch_size, *self.shape_in))
        return tuple(tf.zeros(shape, dtype) for shape in shapes)

    def infer_shape_out(self, dtype: Any) -> Shape:
        """Find the shape of the result, without the minibatch axis.

        A Keras layer is not called if its shapes are known. Everything else is called
        once, on a single item of zeros.

        Parameters
        ----------
        dtype : dtype
            Type of the arguments.

        Returns
        -------
        shape_out : tuple of int

        Raises
        ------
        ValidationError
            If the call fails, or does not return a tensor of known shape.
        """
        is_cell = self.cell is not None  # or raises what nobody should wrap
        try:
            result = None if is_cell else self._static_result(dtype)
            if result is None:
                with tf.init_scope():
                    states = self.initial_states()
                    result, _ = self(*self.zeros(dtype), states=states)
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
        """Make the error for a function with a wrong result."""
        if self.pass_time and self.shape_in is not None:
            what = "[t, x]" if self.layer is not None else "(t, x)"
            advice += f" It is called with {what}; pass_time=False passes x alone."
        return ValidationError(
            f"expected the function of {self.name} to return {expected} (got {got}). "
            f"{advice}",
            attr="tensor_func",
        )

    def _static_result(self, dtype: Any) -> keras.KerasTensor | None:
        """Return the form of a layer's result, if its shapes are known."""
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
        The function.
    time : Signal or None
        The time in seconds, if the function takes it.
    input : Signal or None
        The input, flattened, if the function takes one.
    output : Signal
        The output, flattened.
    state : sequence of Signal
        The states of a recurrent cell, flattened.
    tag : str, optional
        A label for messages.

    Notes
    -----
    1. sets ``[output, *state]``
    2. incs ``[]``
    3. reads ``[time, input]``, those that are not None
    4. updates ``[]``
    """

    def __init__(self, function, time, input, output, state=(), tag=None):
        super().__init__(tag=tag)
        self.function = function
        self.sets = [output, *state]
        self.incs = []
        self.reads = [signal for signal in (time, input) if signal is not None]
        self.updates = []

    @property
    def output(self):
        """(Signal) The output, flattened."""
        return self.sets[0]

    @property
    def state(self):
        """(list of Signal) The states of a recurrent cell, flattened."""
        return self.sets[1:]

    @property
    def joins_steps(self):
        """(bool) Whether one call for many steps costs less than one for each."""
        return isinstance(self.function.layer, ModuleLayer)

    def make_step(self, signals, dt, rng):
        """Return a function that tells which simulator to use."""
        del signals, dt, rng
        return lambda: run_elsewhere(None)


def describe(value: Any) -> str:
    """Describe a value, for a message."""
    if isinstance(value, tf.Tensor):
        return f"a {value.dtype.name} tensor of shape {tuple(value.shape)}"
    return f"{value!r} of type {type(value).__name__}"


def _one_argument(args):
    return args[0] if len(args) == 1 else list(args)


def _listed(shapes: list[Shape]) -> str:
    return " and ".join(f"a tensor of shape {shape}" for shape in shapes)
