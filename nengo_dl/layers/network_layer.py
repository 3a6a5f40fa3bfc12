"""A base of Keras layers that make a network when they know the size of their input."""

import inspect
from typing import Any

import keras
import nengo
import numpy as np
from nengo.ensemble import Neurons
from nengo.neurons import NeuronType

from nengo_dl.arguments import check_dt, whole
from nengo_dl.config import configure_settings
from nengo_dl.descriptions import described, restored
from nengo_dl.errors import argument, arguments_of
from nengo_dl.keras_model.nengo_layer import NengoLayer
from nengo_dl.over_time import reduce_steps, relative, weights_of_steps
from nengo_dl.silence import warnings_ignored
from nengo_dl.surrogates import Surrogate


class NetworkLayer(keras.layers.Layer):
    """A layer that runs a network for as many steps as its input has.

    Inputs have the shape (items, n_steps, size), and outputs (items, n_steps, units),
    or (items, units) of the last step. Subclasses make the network, which has one input
    node and one probe.
    """

    network_layer: NengoLayer  # when the layer is built

    def __init__(
        self,
        units: int,
        return_sequences: bool,
        dt: float,
        surrogate: Surrogate | str,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        with arguments_of(type(self)):
            check_dt(dt)
            with argument("units"):
                self.units = whole(units, 1)
        self.return_sequences, self.dt = return_sequences, dt
        self.surrogate: Any = surrogate  # which `configure_settings` checks
        self.supports_masking = True

    def make_network(self, size_in: int) -> None:
        """Make the objects of the network, for an input of some size."""
        raise NotImplementedError

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Make the network."""
        with nengo.Network(seed=0, label=self.name) as net:
            configure_settings(
                training_mode="spiking", surrogate=self.surrogate, trainable=None
            )
            net.config[nengo.Connection].synapse = None
            self.make_network(int(input_shape[-1] or 0))
        # Nengo warns that neurons without a bias do not fire by themselves
        with warnings_ignored(module=r"nengo\.neurons"):
            self.network_layer = NengoLayer(net, self.dt, name="network")

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        """Run the network."""
        outputs = self.network_layer(inputs, training=training)
        if self.return_sequences:
            return outputs
        weights = relative(weights_of_steps(outputs, None, self.compute_dtype))
        return reduce_steps(outputs, weights, "last", 1.0)

    def compute_output_shape(self, input_shape):
        """Return the shape of the output."""
        steps = input_shape[1:2] if self.return_sequences else ()
        return (input_shape[0], *steps, self.units)

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> Any:
        """Return the mask of the steps, if there are still steps."""
        del inputs
        return previous_mask if self.return_sequences else None

    def get_config(self):
        """Return the arguments to make the same layer with."""
        own = ("units", "return_sequences", "dt")
        is_function = inspect.isfunction(self.surrogate)
        serialize = keras.saving.serialize_keras_object if is_function else described
        config = {**super().get_config(), "surrogate": serialize(self.surrogate)}
        return config | {name: getattr(self, name) for name in own}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "NetworkLayer":
        """Make a layer from the result of `get_config`."""
        surrogate = config["surrogate"]
        is_function = isinstance(surrogate, dict) and "class_name" in surrogate
        restore = keras.saving.deserialize_keras_object if is_function else restored
        return cls(**{**config, "surrogate": restore(surrogate)})


def population(neuron_type: NeuronType, bias: Any) -> Neurons:
    """Make neurons with trained biases of shape (units,), in the current network."""
    units = len(bias)
    ensemble = nengo.Ensemble(
        units,
        1,
        neuron_type=neuron_type,
        gain=np.ones(units),
        bias=bias,
        label="neurons",
    )
    network = nengo.Network.context[-1]
    network.config[ensemble].trainable = False  # encoders, which nothing uses
    network.config[ensemble.neurons].trainable = True
    return ensemble.neurons


def weights(initializer: Any, shape: tuple[int, ...]) -> Any:
    """Draw weights of shape (n_in, n_out), as a transform of a connection."""
    drawn = keras.initializers.get(initializer)(shape, dtype="float32")
    return keras.ops.convert_to_numpy(drawn).T


def serialized(initializer: Any) -> Any:
    """Return an initializer in a form for JSON."""
    return keras.initializers.serialize(keras.initializers.get(initializer))
