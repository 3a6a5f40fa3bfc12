"""`NengoLayer`: a Nengo network as a layer of any Keras model."""

import functools
from collections.abc import Callable, Iterable
from typing import Any

import keras
import nengo
import numpy as np
from keras.saving import register_keras_serializable
from nengo.exceptions import ValidationError

from nengo_dl.arguments import (
    check_dt,
    check_dt_in,
    check_seed,
    check_unroll,
    seed_after,
    whole,
)
from nengo_dl.engine.built_network import BuiltNetwork, build_network
from nengo_dl.engine.processes import check_process
from nengo_dl.errors import InvalidValue, argument, arguments_of
from nengo_dl.foreign import as_array, is_array
from nengo_dl.keras_model.layer import EngineLayer
from nengo_dl.keys import Keys
from nengo_dl.settings import Settings

_TENSORS = keras.KerasTensor | keras.Variable


@register_keras_serializable(package="nengo_dl")
class NengoLayer(EngineLayer):
    """A Nengo network as a Keras layer, with all its parameters as weights.

    A call simulates the network for as many time steps as the inputs have, from its
    initial state. Only stateful layers keep the state after a call.

    Parameters
    ----------
    network : Network or callable
        The network to simulate, or a function without arguments that makes it. A layer
        that is made from a function can be saved with its model, if the function is
        registered with `keras.saving.register_keras_serializable`. The function should
        give the network a seed.
    dt : float
        Length of a time step, in seconds.
    seed : int, optional
        Seed of all random numbers. By default ``network.seed + 1``, or 0 if the network
        has no seed.
    inputs : list of Node or str, optional
        The nodes whose data is given in every call, in this order. By default, all
        input nodes with a constant output. Data of other input nodes can be given in a
        dict. Otherwise their functions and processes run in Python ahead of the time
        steps, and Keras cannot compile the model with XLA.
    outputs : list of Probe or str, optional
        The probes to return; by default all.
    stateful : bool
        Whether a call starts where the last one ended. Needs a `minibatch_size`; see
        `reset_state`.
    minibatch_size : int, optional
        Number of items in all calls. By default, any number.
    unroll_simulation : int
        Number of steps in one iteration of the compiled loop.
    **kwargs
        See `keras.layers.Layer`.

    Attributes
    ----------
    network : Network
        The network that the layer was made from.
    seed : int
        Seed of all random numbers.

    Raises
    ------
    ValidationError
        If an argument is invalid.
    BuildError
        If the network cannot be built.

    Notes
    -----
    Inputs are tensors of shape (minibatch_size, n_steps, size_out): a single one for
    the first node, a list in the order of `inputs`, or a dict by name. With
    ``layer(x, n_steps=...)``, they may have the shape (minibatch_size, 1, size_out),
    and stay the same in all steps. The output is a
    tensor of shape (minibatch_size, n_steps, size_in of the probe), or a dict by name
    if there are several probes.

    The settings of the network apply, see `nengo_dl.configure_settings`. A loop over
    time is much faster with XLA. By default, Keras uses XLA on GPUs only. On the CPU,
    call ``model.compile(..., jit_compile=True)``.

    Random processes (of nodes, or noise of ensembles) go on from call to call. Random
    neurons give the same numbers in each call, except in training.

    Parameters that learning rules change are weights, too, with a first axis for the
    items if there is a `minibatch_size`. Calls start from their values, and change them
    if the layer is stateful.

    A mask of the inputs, for sequences that are padded to the same length, is passed on
    to the outputs, for losses and metrics. The network itself runs for all steps, so
    padding belongs at the end.

    Examples
    --------
    .. testcode::

       with nengo.Network(seed=0) as net:
           stimulus = nengo.Node(np.zeros(8))
           ens = nengo.Ensemble(50, 8)
           nengo.Connection(stimulus, ens, synapse=None)
           nengo.Probe(ens, synapse=0.01)

       inputs = keras.Input((20, 16))
       x = keras.layers.Dense(8)(inputs)
       x = nengo_dl.NengoLayer(net)(x)
       model = keras.Model(inputs, keras.layers.Dense(3)(x))
       print(model.predict(np.ones((5, 20, 16)), verbose=0).shape)

    .. testoutput::

       (5, 20, 3)
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
        unroll_simulation: int = 1,
        **kwargs,
    ):
        cls = type(self)
        check_process(cls.__name__)
        net = network if isinstance(network, nengo.Network) else _make(network)
        with arguments_of(cls):
            check_dt(dt)
            minibatch_size = _checked_size(minibatch_size, stateful)
            unroll = check_unroll(unroll_simulation)
            seed = _chosen_seed(seed, net)
            settings = Settings.read(net).check()
            check_dt_in(settings.dtype, dt)
        built = build_network(net, settings, dt)
        with arguments_of(cls):
            nodes = _chosen_nodes(built, inputs)
            probes = _chosen_probes(built, outputs)
        super().__init__(
            built.with_probes(probes).engine(minibatch_size, unroll),
            built.names,
            nodes,
            seed=seed,
            stateful=stateful,
            unwrap=True,
            **kwargs,
        )
        self._network, self.seed = network, seed
        self.network = net
        self.keep.assign(stateful)
        self.supports_masking = True

    def __call__(self, inputs: Any, *args: Any, **kwargs: Any) -> Any:
        """Call the layer on tensors, or on arrays of any library."""
        return super().__call__(
            keras.tree.map_structure(_readable, inputs), *args, **kwargs
        )

    def reset_state(self) -> None:
        """Reset the state of a stateful layer.

        Values that learning rules have changed are reset, too, but not trained weights.
        """
        self.load(self.engine.values.initial())

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> Any:
        """Return the masks of the outputs, which say which steps count.

        Parameters
        ----------
        inputs : tensor, or list or dict of tensor
            In the form of inputs, of any shape.
        previous_mask : None or tensor, or list or dict of them
            In the same form, each of shape (minibatch_size, n_steps).

        Returns
        -------
        masks : None or tensor of shape (minibatch_size, n_steps), or dict of them
            By name of the probe if there are several. None if no input has a mask, and
            for probes that keep only the last step.
        """
        del inputs
        masks = [mask for mask in keras.tree.flatten(previous_mask) if mask is not None]
        if not masks:
            return None
        mask = functools.reduce(keras.ops.logical_and, masks)
        values, program = self.engine.values, self.engine.program
        found = {
            name: None
            if not program.kept_of(probe).keeps_time or values.is_shared(signal)
            else mask
            for (probe, signal), name in zip(
                program.probes.items(), self.output_names.values(), strict=True
            )
        }
        return found if len(found) > 1 else found.popitem()[1]

    def get_config(self) -> dict[str, Any]:
        """Return a configuration from which the layer can be made again.

        Returns
        -------
        config : dict
            Arguments of the class, in a form for JSON.

        Raises
        ------
        NotImplementedError
            If the layer was made from a network instead of a function.
        """
        if isinstance(self._network, nengo.Network):
            raise NotImplementedError(
                f"NengoLayer '{self.name}': expected a function that makes the "
                "network, which can be saved by name (got a network). Pass a function "
                "registered with keras.saving.register_keras_serializable, or save the "
                "weights alone with save_weights."
            )
        network = keras.saving.serialize_keras_object(self._network)
        return {
            "name": self.name,
            "trainable": self.trainable,
            "dt": self.engine.dt,
            "seed": self.seed,
            "inputs": list(self.input_names.values()),
            "outputs": list(self.output_names.values()),
            "stateful": self.stateful,
            "minibatch_size": self.engine.minibatch_size,
            "unroll_simulation": self.engine.unroll,
            "network": network,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "NengoLayer":
        """Make a layer from the result of `get_config`.

        Parameters
        ----------
        config : dict
            The arguments of the class.

        Returns
        -------
        layer : `NengoLayer`
            A layer with new weights.

        Raises
        ------
        ValueError
            If the function that makes the network is not registered with Keras. It is
            not called in this case, since a file can name any function.
        """
        config = dict(config)
        return cls(registered_function(config.pop("network")), **config)


def _readable(x: Any) -> Any:
    """Return an array of another library as one of NumPy's."""
    is_tensor = keras.ops.is_tensor(x) or isinstance(x, _TENSORS)
    if is_tensor or not is_array(x):
        return x
    with argument("inputs", NengoLayer):
        return as_array(x)


def registered_function(config: Any) -> Callable[[], nengo.Network]:
    """Return the function that a configuration names, if Keras has it registered."""
    kind = config.get("class_name") if isinstance(config, dict) else None
    if kind == "__lambda__":
        # its code is in the file, and Keras allows that with safe_mode=False alone
        return keras.saving.deserialize_keras_object(config)
    key = "config" if kind == "function" else "registered_name"
    name = None if kind is None else config.get(key)
    found = keras.saving.get_registered_object(name) if isinstance(name, str) else None
    if found is None:
        raise ValueError(
            "NengoLayer: expected the name of a function that makes the network and is "
            f"registered with Keras (got {config!r}). Decorate the function with "
            "keras.saving.register_keras_serializable before loading, or pass it in "
            "custom_objects. No other function is called, because a file could name "
            "any."
        )
    return (
        found if kind == "function" else keras.saving.deserialize_keras_object(config)
    )


def _checked_size(minibatch_size: int | None, stateful: bool) -> int | None:
    if minibatch_size is not None:
        with argument("minibatch_size"):
            return whole(minibatch_size, 1, advice="Leave it out for any number.")
    if stateful:
        raise ValidationError(
            "needs the minibatch_size that all calls will have (got None). Pass it, or "
            "stateful=False.",
            attr="stateful",
        )
    return None


def _chosen_seed(seed: int | None, network: nengo.Network) -> int:
    if seed is not None:
        return check_seed(seed)
    return 0 if network.seed is None else check_seed(seed_after(network.seed))


def _make(network: Callable[[], nengo.Network]) -> nengo.Network:
    net = network() if callable(network) else network
    if not isinstance(net, nengo.Network):
        raise ValidationError(
            f"must be a nengo.Network, or a function that returns one (got {net!r} of "
            f"type {type(net).__name__}). Pass the network that holds everything.",
            attr="network",
            obj=NengoLayer,
        )
    return net


def _chosen_nodes(
    built: BuiltNetwork, inputs: Iterable[nengo.Node | str] | None
) -> tuple[nengo.Node, ...]:
    """Return the input nodes that are given in every call."""
    if inputs is None:
        return tuple(n for n in built.nodes if isinstance(n.output, np.ndarray))
    with argument("inputs"):
        return Keys({node: built.names[node] for node in built.nodes}).choose(inputs)


def _chosen_probes(
    built: BuiltNetwork, outputs: Iterable[nengo.Probe | str] | None
) -> tuple[nengo.Probe, ...]:
    """Return the probes that a call returns."""
    probes = {probe: built.names[probe] for probe in built.model.probes}
    with argument("outputs"):
        chosen = Keys(probes).choose(probes if outputs is None else outputs)
        if not chosen:
            raise InvalidValue(
                "must be at least one probe (got none). Add a nengo.Probe."
            )
    return chosen
