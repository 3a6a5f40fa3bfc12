"""Modules of torch as Keras layers that call them, where they cannot be translated.

TensorFlow keeps the weights, and calls Python with their values. Gradients compute the
module once more, with the same random numbers, because a loop cannot hold what torch
keeps for them.
"""

from __future__ import annotations

import contextlib
import copy
import functools
import threading
import warnings
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf
import torch
from nengo.exceptions import BuildError, ValidationError

from nengo_dl.nodes.modules import ModuleLayer
from nengo_dl.torch.exporting import example_tensors
from nengo_dl.torch.items import blocks, concatenated, treatments
from nengo_dl.torch.translation import to_keras

WHERE = "torch.layer"
MODES = ("auto", "translate", "call")
# What `to_keras` raises where calling a module is the better way
REFUSALS = (TypeError, ValueError, BuildError, UserWarning)
Arrays = Sequence[np.ndarray]


class CalledModule(ModuleLayer):
    """A Keras layer that calls a module of torch; `nengo_dl.torch.layer` makes it.

    Parameters
    ----------
    module : torch.nn.Module
        The module, of which the layer has a copy.
    examples : tuple of torch.Tensor
        Inputs of the module.
    name : str, optional
        Name of the layer.
    """

    def __init__(
        self,
        module: torch.nn.Module,
        examples: tuple[torch.Tensor, ...],
        name: str | None = None,
    ):
        super().__init__(name=name, autocast=False)
        self.supports_jit = False
        self._module = copy.deepcopy(module)
        parts = list(self._module.modules())
        # parts that stay as they are in training, if it has been the rest's mode
        self._kept = {p for p in parts if not p.training} if module.training else set()
        self._mutex = threading.RLock()
        self._dtypes = [x.dtype for x in examples]
        self._sources = dict(self._module.named_parameters())
        self._state = dict(self._module.named_buffers())
        self._parameters = [
            self._add(name, value, value.requires_grad)
            for name, value in self._sources.items()
        ]
        self._buffers = [self._add(k, value, False) for k, value in self._state.items()]
        self._seeds = keras.random.SeedGenerator(0)
        self._structure, self._outputs = self._probe([tuple(x.shape) for x in examples])
        self._treatments = treatments(module, examples)
        self.built = True

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        """Call the module on tensors of its shapes, with the minibatch in front."""
        x = [
            tf.cast(each, str(dtype).removeprefix("torch."))
            for each, dtype in zip(
                keras.tree.flatten(inputs), self._dtypes, strict=True
            )
        ]
        weights = [tf.convert_to_tensor(v) for v in self._parameters]
        buffers = [tf.convert_to_tensor(v) for v in self._buffers]
        is_training = bool(training)
        number = tf.constant(0, tf.uint32)
        if is_training:
            number = self._seeds.next()[0] + self._seeds.next()[1]
        mode = tf.constant(is_training)
        outputs, after = self._differentiable(mode, number, x, weights, buffers)
        if is_training:
            for variable, value in zip(self._buffers, after, strict=True):
                variable.assign(tf.ensure_shape(value, variable.shape))
        shapes = self._probe([(2, *each.shape[1:]) for each in x])[1]
        for output, (shape, _) in zip(outputs, shapes, strict=True):
            output.set_shape((x[0].shape[0], *shape[1:]))
        return keras.tree.pack_sequence_as(self._structure, outputs)

    def compute_output_spec(self, inputs: Any, training: bool | None = None) -> Any:
        """Describe the outputs, by calling the module on zeros."""
        del training
        flat = keras.tree.flatten(inputs)
        _, outputs = self._probe([(2, *x.shape[1:]) for x in flat])
        return keras.tree.pack_sequence_as(
            self._structure,
            [
                keras.KerasTensor((flat[0].shape[0], *shape[1:]), dtype)
                for shape, dtype in outputs
            ],
        )

    def source_weights(self) -> dict[str, np.ndarray]:
        """Return the present weights by their names in the module.

        Returns
        -------
        arrays : dict of str to ndarray
            Of all parameters and buffers, in the shapes that the module has.
        """
        variables = [*self._parameters, *self._buffers]
        names = [*self._sources, *self._state]
        arrays = map(keras.ops.convert_to_numpy, variables)
        return dict(zip(names, arrays, strict=True))

    def keeps_items_apart(self, training: bool) -> bool:
        """Tell whether each item's output follows from its input alone."""
        return self._treatments[training].is_apart

    def repeats(self, training: bool) -> bool:
        """Tell whether the same input always has the same output."""
        return self._treatments[training].repeats

    def begin(self) -> None:
        """Take the present weights, for all steps of a run."""
        tensors = {**self._sources, **self._state}
        for name, array in self.source_weights().items():
            tensors[name].data = _tensor(array).to(tensors[name].dtype)

    def infer(self, x: np.ndarray) -> np.ndarray:
        """Return the output for one input, with the weights that `begin` took."""
        with self._in_mode(False), torch.no_grad():
            found = [
                self._module(_tensor(x[items]).to(self._dtypes[0])).numpy()
                for items in self._blocks(False, [x])
            ]
        return concatenated(found)

    def get_config(self):
        """Raise NotImplementedError, because modules have no configuration."""
        raise NotImplementedError(
            f"Layer '{self.name}': expected something that Keras can save (got a "
            "module of torch that is called). Save its weights, with to_state_dict or "
            "save_weights."
        )

    def _add(self, name: str, value: torch.Tensor, trainable: bool) -> keras.Variable:
        array = value.detach().numpy()
        return self.add_weight(
            name=name,
            shape=array.shape,
            dtype=array.dtype.name,
            initializer=lambda shape, dtype: tf.constant(array, dtype),
            trainable=trainable,
        )

    def _probe(self, shapes: Sequence[tuple[int, ...]]) -> tuple[Any, list]:
        """Return the structure of outputs, and their shapes and dtypes."""
        x = [
            torch.zeros(shape, dtype=dtype)
            for shape, dtype in zip(shapes, self._dtypes, strict=True)
        ]
        with self._in_mode(False), torch.no_grad():
            found = self._module(*x)
        found = list(found) if isinstance(found, tuple) else found
        flat = keras.tree.flatten(found)
        if not all(isinstance(y, torch.Tensor) and y.ndim for y in flat):
            raise ValidationError(
                f"expected tensors with an axis for the minibatch (got {found!r}). "
                "Make a module that returns them.",
                attr="module",
                obj=WHERE,
            )
        structure = keras.tree.map_structure(lambda _: 0, found)
        return structure, [
            (tuple(y.shape), str(y.dtype).removeprefix("torch.")) for y in flat
        ]

    @contextlib.contextmanager
    def _in_mode(self, training: bool) -> Iterator[None]:
        """Have the module infer, or train with the parts that do."""
        with self._mutex:
            if self._module.training != training:
                self._module.train(training)
                for part in self._kept:
                    part.training = False
            yield

    def _differentiable(self, mode, number, x, weights, buffers):
        """Return the outputs and the buffers after a call, with gradients."""
        dtypes = [dtype for _, dtype in self._outputs]

        @tf.custom_gradient
        def run(*tensors):
            given = [mode, number, *tensors, *buffers]
            results = tf.numpy_function(
                self._forward, given, [*dtypes, *(b.dtype for b in buffers)]
            )
            results = tf.nest.flatten(results)

            def gradients(*upstream):
                found = tf.numpy_function(
                    self._backward,
                    [*given, *upstream[: len(dtypes)]],
                    [tensor.dtype for tensor in tensors],
                )
                return [
                    tf.ensure_shape(gradient, tensor.shape)
                    for gradient, tensor in zip(
                        tf.nest.flatten(found), tensors, strict=True
                    )
                ]

            return results, gradients

        results = run(*x, *weights)
        return results[: len(dtypes)], results[len(dtypes) :]

    def _blocks(self, training, x: Arrays) -> Iterable[slice]:
        """Return which items to give to a call, one call after the other."""
        return blocks(x) if self.keeps_items_apart(bool(training)) else (slice(None),)

    def _forward(self, training, number, *arrays):
        """Return the arrays of outputs, and those of buffers after the calls."""
        n_inputs = len(self._dtypes)
        x, rest = arrays[:n_inputs], list(map(_tensor, arrays[n_inputs:]))
        found = []
        number = int(number)
        for i, items in enumerate(self._blocks(training, x)):
            tensors = [_tensor(array[items]) for array in x]
            with torch.no_grad():
                outputs, buffers = self._run(training, number + i, [*tensors, *rest])
            found.append([y.numpy() for y in outputs])
        results = [concatenated(y) for y in zip(*found, strict=True)]
        return [*results, *(np.asarray(b.numpy(), order="C") for b in buffers)]

    def _backward(self, training, number, *arrays):
        """Return the gradients of inputs and parameters, for those of outputs."""
        n_inputs, n_outputs = len(self._dtypes), len(self._outputs)
        x, upstream = arrays[:n_inputs], arrays[len(arrays) - n_outputs :]
        rest = list(map(_tensor, arrays[n_inputs : len(arrays) - n_outputs]))
        found = []
        number = int(number)
        for i, items in enumerate(self._blocks(training, x)):
            tensors = [_tensor(array[items]) for array in x]
            slopes = [_tensor(array[items]) for array in upstream]
            inputs = [*tensors, *(tensor.detach() for tensor in rest)]
            found.append(self._gradients(training, number + i, inputs, slopes))
        by_source = list(zip(*found, strict=True))
        return [
            *map(concatenated, by_source[:n_inputs]),
            *(functools.reduce(np.add, parts) for parts in by_source[n_inputs:]),
        ]

    def _gradients(self, training, number, tensors, upstream):
        """Return the gradients of one call, as arrays."""
        n_sources = len(self._dtypes) + len(self._sources)
        sources = [x for x in tensors[:n_sources] if x.is_floating_point()]
        for source in sources:
            source.requires_grad_()
        with torch.enable_grad():
            outputs, _ = self._run(training, number, tensors)
        pairs = [
            (y, dy) for y, dy in zip(outputs, upstream, strict=True) if y.requires_grad
        ]
        found = iter([torch.zeros_like(x) for x in sources])
        if pairs:
            ys, dys = zip(*pairs, strict=True)
            found = iter(
                torch.autograd.grad(
                    ys, sources, dys, allow_unused=True, materialize_grads=True
                )
            )
        gradients = [
            next(found) if x.is_floating_point() else torch.zeros_like(x)
            for x in tensors[:n_sources]
        ]
        return [np.asarray(gradient.numpy(), order="C") for gradient in gradients]

    def _run(self, training, number, tensors):
        """Call the module with weights that are given."""
        n_inputs, n_sources = len(self._dtypes), len(self._sources)
        x, rest = tensors[:n_inputs], tensors[n_inputs:]
        weights = dict(zip(self._sources, rest[:n_sources], strict=True))
        state = dict(
            zip(self._state, (b.clone() for b in rest[n_sources:]), strict=True)
        )
        training = bool(training)
        with self._in_mode(training), _seeded(training, number):
            outputs = torch.func.functional_call(
                self._module, {**weights, **state}, tuple(x)
            )
        outputs = list(outputs) if isinstance(outputs, tuple) else outputs
        return keras.tree.flatten(outputs), list(state.values())


def layer(
    module: torch.nn.Module,
    example_inputs: Any,
    mode: str = "auto",
    name: str | None = None,
) -> keras.Layer:
    """Return a module of torch as a Keras layer with the same weights.

    Parameters
    ----------
    module : torch.nn.Module
        The module. The layer has weights of its own, with its present values.
    example_inputs : torch.Tensor or tuple of torch.Tensor
        Inputs of the module, with the minibatch along the first axis.
    mode : "auto", "translate" or "call"
        "translate" makes Keras layers of it, see `to_keras`. "call" calls the module in
        every call of the layer, in Python. "auto" calls only what cannot be translated.
    name : str, optional
        Name of the layer.

    Returns
    -------
    layer : keras.Layer
        Takes and returns tensors of the shapes that the module does. `to_state_dict`
        has its weights for the module.

    Raises
    ------
    TypeError
        If a module cannot be translated, and ``mode="translate"``.
    ValidationError
        If the mode is none of these, or the module does not return tensors.

    Notes
    -----
    Gradients of a module that is called are exact: the module is computed once more,
    with the same random numbers. Buffers change in training, as those of torch do.
    In simulations, modules are called in every step, like functions of nodes. Where the
    input is known ahead, as that of the network is, one call computes all steps of a
    minibatch or of a chunk, and a single step if that is held. It needs a module which
    treats each item by itself, and draws nothing where input is held: the layer finds
    out by calling it. In training, batch normalisation mixes items, and dropout draws.

    Examples
    --------
    .. testcode::

       import torch

       x = torch.rand(2, 8)
       layer = nengo_dl.torch.layer(torch.nn.Linear(8, 3), x, mode="call")
       print(layer(x.numpy()).shape, [weight.name for weight in layer.weights])

    .. testoutput::

       (2, 3) ['weight', 'bias']
    """
    if mode not in MODES:
        raise ValidationError(
            f"must be one of {', '.join(map(repr, MODES))} (got {mode!r}). Leave it "
            "out to call only what cannot be translated.",
            attr="mode",
            obj=WHERE,
        )
    if mode == "translate":
        return to_keras(module, example_inputs, name=name)
    if mode == "auto":
        with contextlib.suppress(*REFUSALS), warnings.catch_warnings():
            # of a module that is something else in training
            warnings.filterwarnings("error", "nengo_dl.torch", UserWarning)
            return to_keras(module, example_inputs, name=name)
    return CalledModule(module, example_tensors(WHERE, example_inputs), name)


def layer_for(module: torch.nn.Module, shape: Sequence[int]) -> keras.Layer:
    """Return a module as a layer for items of a shape, as nodes have them."""
    dtypes = [x.dtype for x in module.parameters() if x.is_floating_point()]
    dtype = dtypes[0] if dtypes else torch.float32
    return layer(module, torch.zeros(2, *shape, dtype=dtype))


def _tensor(array: np.ndarray) -> torch.Tensor:
    """Return a tensor of an array, which torch may write to."""
    return torch.from_numpy(np.require(array, requirements=("C", "W")))


@contextlib.contextmanager
def _seeded(training: bool, number: int) -> Iterator[None]:
    """Draw the same random numbers for the same number, if any are drawn."""
    if not training:
        yield
        return
    with torch.random.fork_rng(devices=[]):
        torch.random.manual_seed(number)
        yield
