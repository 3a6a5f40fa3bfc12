"""`wrap`: from a module of torch to one that runs the network that it becomes."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

import keras
import nengo
import numpy as np
import torch

from nengo_dl.arguments import whole
from nengo_dl.converter import Converter
from nengo_dl.errors import argument, arguments_of
from nengo_dl.foreign import as_array, is_array
from nengo_dl.torch.network import Network
from nengo_dl.torch.translation import load_state_dict, to_keras
from nengo_dl.wrapped.origins import Origins
from nengo_dl.wrapped.time import check_steps, chosen_reduce, configure, reductions

WHERE = "torch.wrap"
REDUCTIONS = {
    "mean": functools.partial(torch.mean, dim=1),
    "sum": functools.partial(torch.sum, dim=1),
    "max": functools.partial(torch.amax, dim=1),
    "last": lambda y: y[:, -1],
}


class Origin:
    """Where the network of a wrapped module comes from; copies share it.

    Parameters
    ----------
    module : torch.nn.Module
        The module that was wrapped.
    converter : `Converter`
        Has made the network.
    """

    def __init__(self, module: torch.nn.Module, converter: Converter):
        self.module, self.converter = module, converter

    @functools.cached_property
    def weights(self) -> Origins:
        """(Origins) Where each weight of the network comes from."""
        return Origins(self.converter)

    def __deepcopy__(self, memo: dict[int, Any]) -> Origin:
        return self


class WrappedModule(torch.nn.Module):
    """A module of torch that runs a network; `wrap` makes it.

    Parameters
    ----------
    origin : `Origin`
        The module and the network that it has become.
    network : `Network`
        Runs the network.
    n_steps : int or None
        For how many steps the network sees each item; None if items have steps.
    reduce : str or None
        What is left of outputs over time.
    """

    def __init__(
        self,
        origin: Origin,
        network: Network,
        n_steps: int | None,
        reduce: str | None,
    ):
        super().__init__()
        self._origin = origin
        self.network = network
        self.n_steps, self.reduce = n_steps, reduce
        conversion = origin.converter.conversion
        self._structure = origin.converter.conversion.plan.options.model.output
        self._shapes = [spec.signal_shape for spec in conversion.source.outputs]
        self._reduces = reductions(conversion, reduce)

    @property
    def converter(self) -> Converter:
        """(Converter) The converter that made the network."""
        return self._origin.converter

    def forward(self, *inputs: torch.Tensor) -> Any:
        """Run the network.

        Parameters
        ----------
        *inputs : torch.Tensor
            As for the module that was wrapped.

        Returns
        -------
        outputs : torch.Tensor, or tuple or dict of torch.Tensor
            As those of that module. With ``reduce=None``, there is an axis of time
            after that of the items.
        """
        n_outer = 1 if self.n_steps else 2
        signals = [
            x.reshape(*x.shape[:n_outer], -1)[:, None] if self.n_steps else x.flatten(2)
            for x in inputs
        ]
        found = self.network(*signals, n_steps=self.n_steps)
        several = isinstance(found, tuple)
        outputs = []
        for y, shape, reduce in zip(
            found if several else [found], self._shapes, self._reduces, strict=True
        ):
            kept = y if reduce is None else REDUCTIONS[reduce](y)
            outer = kept.shape[: 2 if reduce is None else 1]
            outputs.append(kept.reshape(*outer, *shape))
        if isinstance(self._structure, dict):
            return keras.tree.pack_sequence_as(self._structure, outputs)
        return tuple(outputs) if several else outputs[0]

    def unwrap(self) -> torch.nn.Module:
        """Give the weights of the network to the module that it comes from.

        Returns
        -------
        module : torch.nn.Module
            The module that was wrapped, with the weights as they are now.

        Raises
        ------
        ValidationError
            If trained weights are no weights of the module, but computed from them; or
            if a part that is called several times has got different weights for its
            calls.
        """
        with arguments_of(type(self)):
            self._origin.weights.give_back(self.network.to_layer())
        module = self._origin.module
        load_state_dict(module, self.converter.conversion.plan.options.model)
        return module


def wrap(
    module: torch.nn.Module,
    example_inputs: Any,
    n_steps: int | None = None,
    *,
    reduce: str | None = "auto",
    dt: float = 0.001,
    seed: int | None = None,
    settings: Mapping[str, Any] | None = None,
    **options: Any,
) -> WrappedModule:
    """Make a module of torch that runs the network that a module becomes.

    It takes the place of the module in a training loop: the same inputs, outputs of the
    same shape, and all parameters in ``parameters()``. Spikes are trained through.

    Parameters
    ----------
    module : torch.nn.Module
        The module to convert. It is not changed before `WrappedModule.unwrap`.
    example_inputs : torch.Tensor or tuple of torch.Tensor
        Inputs of the module, with the minibatch along the first axis.
    n_steps : int, optional
        For how many steps the network sees each item, which stays the same in all of
        them. By default one, unless neurons spike. Leave it out if data has an axis of
        time itself, for modules that are converted with ``temporal_model=True``.
    reduce : str or None
        What is left of the output over time: its "mean", the "last" step, "sum" or
        "max", or None for all steps. "auto" is the mean if there is a number of steps,
        and all steps if data has an axis of time.
    dt : float
        Length of a time step, in seconds.
    seed : int, optional
        Seed of all random numbers, as for `Network`.
    settings : dict, optional
        Of the network, see `nengo_dl.configure_settings`; ``training_mode="spiking"``,
        unless something else is set.
    **options
        Further arguments of `nengo_dl.Converter`; data has the shapes of the module's.

    Returns
    -------
    wrapped : `WrappedModule`
        Has a `Network` as its attribute ``network``.

    Raises
    ------
    ValidationError
        If an argument is invalid, or missing.
    TypeError
        If the module cannot be translated, see `to_keras`.

    Examples
    --------
    .. testcode::

       import torch

       net = torch.nn.Sequential(
           torch.nn.Flatten(), torch.nn.Linear(64, 20), torch.nn.ReLU(),
           torch.nn.Linear(20, 10),
       )
       images = torch.rand(32, 1, 8, 8)
       spiking = nengo_dl.torch.wrap(
           net,
           images,
           n_steps=16,
           swap_activations={"relu": nengo_dl.IntegrateAndFire()},
           calibration_data=images,
       )
       optimizer = torch.optim.SGD(spiking.parameters(), lr=0.1, momentum=0.9)
       loss = torch.nn.functional.cross_entropy(spiking(images), torch.arange(32) % 10)
       loss.backward()
       optimizer.step()
       net = spiking.unwrap()  # with the weights that were trained

    """
    with argument("n_steps", WHERE):
        n_steps = None if n_steps is None else whole(n_steps, 1)
    options = {key: _converted(value) for key, value in options.items()}
    if reduce == "last":
        options = {"output": "each_step", **options}
    converter = Converter(to_keras(module, example_inputs), **options)
    conversion, network = converter.conversion, converter.net
    has_time = conversion.source.n_outer_axes > 1
    if n_steps is None and not has_time and not _spikes(network):
        n_steps = 1
    check_steps(n_steps, has_time, WHERE)
    reduce = chosen_reduce(reduce, n_steps, WHERE)
    configure(network, settings or {})
    runner = Network(
        network, dt, seed, inputs=conversion.inputs, outputs=conversion.outputs
    )
    wrapped = WrappedModule(Origin(module, converter), runner, n_steps, reduce)
    return wrapped.train(module.training)


def _converted(option: Any) -> Any:
    """Return the tensors in an option as arrays."""
    if not isinstance(option, torch.Tensor | list | tuple | dict):
        return option
    return keras.tree.map_structure(
        lambda x: as_array(x) if is_array(x) and not isinstance(x, np.ndarray) else x,
        option,
    )


def _spikes(network: nengo.Network) -> bool:
    return any(ensemble.neuron_type.spiking for ensemble in network.all_ensembles)
