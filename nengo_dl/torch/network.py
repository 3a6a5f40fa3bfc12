"""`Network`: a Nengo network as a module of torch."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import keras
import nengo
import tensorflow as tf
import torch
from nengo.exceptions import SimulationError, ValidationError

from nengo_dl.arguments import whole
from nengo_dl.engine.processes import check_process
from nengo_dl.errors import InvalidValue, argument, arguments_of
from nengo_dl.keras_model.nengo_layer import NengoLayer
from nengo_dl.torch.compiled import Call, CompiledNetwork, Results
from nengo_dl.torch.module_weights import add_weight, find_weight
from nengo_dl.torch.outputs import Outputs
from nengo_dl.torch.shared_network import SharedNetwork
from nengo_dl.torch.sizes import Sizes
from nengo_dl.torch.tensors import (
    check_tensor,
    precision_of,
    to_tensorflow,
    to_torch,
)


class Network(torch.nn.Module):
    """A Nengo network as a module of torch, with all its parameters.

    A call simulates the network for as many time steps as the inputs have, from its
    initial state. Only stateful modules keep the state after a call.

    Parameters
    ----------
    network : nengo.Network or callable
        The network to simulate, or a function without arguments that makes it.
    dt : float
        Length of a time step, in seconds.
    seed : int, optional
        Seed of all random numbers. By default ``network.seed + 1``, or 0 if the network
        has no seed.
    inputs : list of Node or str, optional
        The nodes whose data is given in every call, in this order. By default, all
        input nodes with a constant output.
    outputs : list of Probe or str, optional
        The probes to return, in this order; by default all.
    stateful : bool
        Whether a call starts where the last one ended. Needs a `minibatch_size`; see
        `reset_state`. Gradients end where a call begins.
    minibatch_size : int, optional
        Number of items in all calls. By default, any number.

    Raises
    ------
    ValidationError
        If an argument is invalid.
    BuildError
        If the network cannot be built.

    Notes
    -----
    Inputs are tensors of shape (minibatch_size, n_steps, size_out), one for each input
    node, in order, or a single dict by name. They may be of any real type, and need
    gradients. With ``module(x, n_steps=...)``, they may have the shape (minibatch_size,
    1, size_out), and stay the same in all steps. The output of one probe is a tensor of
    shape (minibatch_size, n_steps, size_in); those of several are `Outputs`, a tuple
    that also takes names.

    The settings of the network apply, see `nengo_dl.configure_settings`. In training
    (``module.train()``, the default of torch), spiking neurons are what
    ``training_mode`` says. Call ``module.eval()`` to compute with spikes.

    All parameters of the network are parameters of the module, named as in Keras:
    ``ensemble.bias``, ``a_to_b.weights``. Those that are not trainable do not require
    gradients. What learning rules change, and weights of Keras layers that are not
    trained, are buffers. Losses that Keras layers add have no effect.

    TensorFlow computes on the CPU, in float32 or, after ``module.double()``, in
    float64. It shares the memory of parameters and inputs. XLA compiles for each shape
    of inputs; smaller minibatches are filled up, unless items of the network draw
    random numbers. Gradients are exact, and cannot be differentiated again. To train,
    XLA computes a call once more. Without XLA (see `nengo_dl.NengoLayer`), calls keep
    what gradients need. Copies of a module share what is compiled.

    Examples
    --------
    .. testcode::

       import torch

       with nengo.Network(seed=0) as net:
           stimulus = nengo.Node(np.zeros(8))
           ens = nengo.Ensemble(50, 8, label="ens")
           nengo.Connection(stimulus, ens, synapse=None)
           nengo.Probe(ens, synapse=0.01)

       model = torch.nn.Sequential(
           torch.nn.Linear(16, 8), nengo_dl.torch.Network(net), torch.nn.Linear(8, 3)
       )
       y = model(torch.ones(5, 20, 16))
       y.sum().backward()
       print(y.shape, model[1].ens.bias.grad.shape)

    .. testoutput::

       torch.Size([5, 20, 3]) torch.Size([50])
    """

    def __init__(
        self,
        network: nengo.Network | Callable[[], nengo.Network],
        dt: float = 0.001,
        seed: int | None = None,
        *,
        inputs: Iterable[nengo.Node | str] | None = None,
        outputs: Iterable[nengo.Probe | str] | None = None,
        stateful: bool = False,
        minibatch_size: int | None = None,
    ):
        super().__init__()
        self._shared = SharedNetwork(
            network,
            dt=dt,
            seed=seed,
            inputs=inputs,
            outputs=outputs,
            stateful=stateful,
            minibatch_size=minibatch_size,
        )
        compiled = self._shared.compiled()
        self._trained = tuple(self._add(v, True) for v in compiled.trained)
        self._buffered = tuple(self._add(v, False) for v in compiled.buffers)
        self._sizes = Sizes()
        self._draws = 0  # of random numbers for training
        self._start = 0  # number of steps that were run
        self._state: tuple[tf.Tensor, ...] | None = None

    @property
    def network(self) -> nengo.Network:
        """(nengo.Network) The network that the module runs."""
        return self._shared.layer.network

    @property
    def input_names(self) -> tuple[str, ...]:
        """(tuple of str) Names of the inputs, in the order of arguments."""
        return tuple(self._shared.layer.input_names.values())

    @property
    def output_names(self) -> tuple[str, ...]:
        """(tuple of str) Names of the outputs, in their order."""
        return tuple(self._shared.layer.output_names.values())

    def reset_state(self) -> None:
        """Let the next call of a stateful module start from the initial state.

        Values that learning rules have changed are reset, too, but not parameters.
        """
        self._state, self._start = None, 0
        self._shared.layer.reset_state()  # calls leave their values in variables
        learned = self._shared.layer.learned.variables
        for name, variable in zip(
            self._buffered, self._shared.compiled().buffers, strict=True
        ):
            if any(variable is other for other in learned):
                value = torch.from_numpy(keras.ops.convert_to_numpy(variable).copy())
                find_weight(self, name).copy_(value)

    def forward(
        self,
        *inputs: torch.Tensor | Mapping[str, torch.Tensor],
        n_steps: int | None = None,
    ) -> torch.Tensor | Outputs:
        """Run the network.

        Parameters
        ----------
        *inputs : torch.Tensor or dict of str to torch.Tensor
            Shape (minibatch_size, n_steps, size_out) each.
        n_steps : int, optional
            Number of steps to run; by default, the inputs tell. It is needed without
            inputs.

        Returns
        -------
        outputs : torch.Tensor or `Outputs`
            Shape (minibatch_size, n_steps, size_in of the probe) each. The second axis
            has length 1 for probes that keep the last step alone, and the first one for
            values that all items share.

        Raises
        ------
        ValidationError
            If inputs or parameters do not fit.
        SimulationError
            If a function of a node fails, or TensorFlow cannot run in this process.
        """
        check_process("torch.Network")
        with arguments_of(type(self)):
            given, n_steps = self._by_name(inputs, n_steps)
            weights = self._weights()
            compiled = self._shared.compiled(precision_of(weights))
        n_items = len(next(iter(given.values())))
        lengths = tuple(x.shape[1] for x in given.values())
        size = max(n_items, 1)
        if compiled.fills_up:
            size = self._sizes.choose((tuple(given), lengths, n_steps), n_items)
        precision = getattr(torch, compiled.layer.engine.dtype.name)
        tensors = [_filled(x.to(precision), size) for x in given.values()]
        call = self._call(compiled, tuple(given), n_steps)
        outputs = self._outputs(compiled, call, [*weights, *tensors])
        outputs = tuple(y[:n_items] if len(y) == size else y for y in outputs)
        names = self.output_names
        return outputs[0] if len(names) == 1 else Outputs(names, outputs)

    def to_layer(self) -> NengoLayer:
        """Return the network as a Keras layer, with the weights as they are now.

        Returns
        -------
        layer : `nengo_dl.NengoLayer`
            One for this module and its copies, which gets the weights of this one.
        """
        layer, compiled = self._shared.layer, self._shared.compiled()
        for variables, names in (
            (compiled.trained, self._trained),
            (compiled.buffers, self._buffered),
        ):
            for variable, name in zip(variables, names, strict=True):
                variable.assign(find_weight(self, name).detach().numpy())
        return layer

    def extra_repr(self) -> str:
        """Return the names of inputs and outputs, for ``repr``."""
        return f"inputs={self.input_names}, outputs={self.output_names}"

    def _add(self, variable: keras.Variable, is_parameter: bool) -> str:
        """Add a weight of the network, named by its object, or else by its layer."""
        layer = self._shared.layer
        own = (*layer.parameters.variables, *layer.learned.variables)
        is_own = any(variable is other for other in own)
        name = variable.name if is_own else variable.path.replace("/", ".")
        return add_weight(self, name, variable, is_parameter)

    def _weights(self) -> list[torch.Tensor]:
        """Return the values of the trained weights."""
        found = []
        variables = self._shared.compiled().trained
        for name, variable in zip(self._trained, variables, strict=True):
            with argument(name):
                weight = check_tensor(find_weight(self, name))
                if tuple(weight.shape) != tuple(variable.shape):
                    raise InvalidValue(
                        f"expected shape {tuple(variable.shape)} (got "
                        f"{tuple(weight.shape)}). Make a module of another network."
                    )
            found.append(weight)
        return found

    def _by_name(
        self, inputs: Any, n_steps: int | None
    ) -> tuple[dict[str, torch.Tensor], int]:
        """Return the inputs by name, and the number of steps, all checked."""
        if len(inputs) == 1 and isinstance(inputs[0], Mapping | list | tuple):
            (inputs,) = inputs
        layer = self._shared.layer
        if n_steps is not None:
            with argument("n_steps"):
                n_steps = whole(n_steps, 1)
            if not len(inputs):
                n_items = layer.engine.minibatch_size or 1
                inputs = {layer.time_input: torch.zeros(n_items, n_steps, 0)}
        is_named = isinstance(inputs, Mapping)
        values = list(inputs.values()) if is_named else list(inputs)
        with argument("inputs"):
            shapes = [keras.KerasTensor(check_tensor(x).shape) for x in values]
        specs = dict(zip(inputs, shapes, strict=True)) if is_named else shapes
        given = dict(zip(layer.reader.by_name(specs, n_steps), values, strict=True))
        if n_steps is None:
            n_steps = next(iter(given.values())).shape[1]
        if n_steps == 0:
            raise ValidationError(
                "expected at least one time step (got none). The second axis of inputs "
                "is time.",
                attr="inputs",
            )
        return given, n_steps

    def _call(
        self, compiled: CompiledNetwork, names: tuple[str, ...], n_steps: int
    ) -> Call:
        engine, seed, state = compiled.layer.engine, self._shared.layer.seed, None
        if compiled.draws_in_training and engine.settings.is_training(self.training):
            self._draws += 1
            seed += self._draws
        if self._state is not None:
            state = tuple(tf.cast(block, engine.dtype) for block in self._state)
        # copies, because the call replaces them
        kept = (find_weight(self, name).numpy().copy() for name in self._buffered)
        buffers, seed = tuple(map(tf.constant, kept)), (seed + 2**31) % 2**32 - 2**31
        return Call(names, n_steps, self.training, buffers, state, seed, self._start)

    def _outputs(
        self, compiled: CompiledNetwork, call: Call, tensors: list[torch.Tensor]
    ) -> tuple[torch.Tensor, ...]:
        """Run the network, for values of its weights and its inputs."""
        if not torch.is_grad_enabled() or not any(x.requires_grad for x in tensors):
            results = compiled.run(call, [to_tensorflow(x) for x in tensors])
            self._keep(results, call)
            return tuple(map(to_torch, results.outputs))
        return _Simulation.apply(
            compiled, call, functools.partial(self._keep, call=call), *tensors
        )

    def _keep(self, results: Results, call: Call) -> None:
        """Keep what a call has changed."""
        for name, value in zip(self._buffered, results.buffers, strict=True):
            find_weight(self, name).copy_(to_torch(value))
        if self._shared.layer.stateful:
            self._state = tuple(results.state)
            self._start += call.n_steps


class _Simulation(torch.autograd.Function):
    """Outputs of a network, and gradients of them."""

    @staticmethod
    def forward(ctx, compiled, call, keep, *tensors):
        """Return the outputs of a call."""
        wanted = ctx.needs_input_grad[3:]
        values = [to_tensorflow(x) for x in tensors]
        results, ctx.pull = compiled.linearize(call, values, wanted)
        keep(results)
        # which also tells if they have been changed when gradients are asked for
        ctx.save_for_backward(*tensors)
        return tuple(map(to_torch, results.outputs))

    @staticmethod
    def backward(ctx, *gradients):
        """Return the gradients of the tensors."""
        wanted = ctx.needs_input_grad[3:]
        tensors = ctx.saved_tensors
        found = iter(
            _Gradients.apply(ctx.pull, len(tensors), wanted, *tensors, *gradients)
        )
        return None, None, None, *(next(found) if each else None for each in wanted)


class _Gradients(torch.autograd.Function):
    """Gradients of a network, which say so if they are to be differentiated."""

    @staticmethod
    def forward(ctx, pull, n_values, wanted, *tensors):
        """Return the gradients of the values that need them."""
        del ctx
        given = [to_tensorflow(x) for x in tensors]
        found = pull(given[:n_values], given[n_values:])
        sources = [x for x, each in zip(tensors, wanted, strict=False) if each]
        return tuple(
            to_torch(gradient).to(x.dtype)
            for gradient, x in zip(found, sources, strict=True)
        )

    @staticmethod
    def backward(ctx, *gradients):
        """Raise an error."""
        del ctx, gradients
        raise SimulationError(
            "torch.Network: expected to be differentiated once (got gradients of "
            "gradients). Leave out create_graph=True, or what depends on gradients."
        )


def _filled(x: torch.Tensor, size: int) -> torch.Tensor:
    """Repeat the last item until there are `size` items; zeros if there is none."""
    if len(x) == size:
        return x
    if len(x) == 0:
        return x.new_zeros(size, *x.shape[1:])
    return x[torch.arange(size).clamp(max=len(x) - 1)]
