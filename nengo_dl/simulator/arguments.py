"""Checks of what a `Simulator` is made and called with.

Errors name the argument; the class that has it is added by `.errors.arguments_of`.
"""

import inspect
import warnings

import keras
import nengo
import tensorflow as tf
from nengo.builder import Model
from nengo.exceptions import ValidationError

from nengo_dl.arguments import whole
from nengo_dl.errors import argument
from nengo_dl.names import suggestion
from nengo_dl.simulator.gpus import unused_gpu


def check_device(device):
    """Return the name of a device that TensorFlow has, or None to leave it the choice.

    Warns if there is a GPU that TensorFlow cannot use.
    """
    if device is None:
        gpu = None if tf.config.list_physical_devices("GPU") else unused_gpu()
        if gpu is not None:
            warnings.warn(
                f"TensorFlow cannot use the GPU of this machine ({gpu}); the "
                "simulation runs on the CPU. Install what TensorFlow needs for it (pip "
                "install 'tensorflow[and-cuda]'), or pass device=\"/cpu:0\" to say "
                "that the CPU is meant.",
                stacklevel=3,
            )
        return None
    if not _has_device(device):
        names = ", ".join(
            f"/{other.name.split(':', 1)[1].lower()}"
            for other in tf.config.list_logical_devices()
        )
        raise ValidationError(
            f"must be the name of a TensorFlow device (got {device!r}). Choose one of "
            f"those that are visible ({names}), or leave it to TensorFlow with None.",
            attr="device",
        )
    return device


def _has_device(device):
    try:
        spec = tf.DeviceSpec.from_string(device)
    except (ValueError, TypeError, AttributeError):
        return False
    return any(
        spec.device_index in (None, int(other.name.rsplit(":", 1)[1]))
        for other in tf.config.list_logical_devices(spec.device_type)
    )


def check_network(network, model):
    """Check that there is a network, or a model that has been built."""
    if network is None and model is None:
        raise ValidationError(
            "must be a nengo.Network (got None). Pass one, or a `model` that has been "
            "built.",
            attr="network",
        )
    for name, value, expected in (
        ("network", network, nengo.Network),
        ("model", model, Model),
    ):
        if value is not None and not isinstance(value, expected):
            raise ValidationError(
                f"must be a {expected.__module__.split('.')[0]} {expected.__name__} "
                f"(got {value!r} of type {type(value).__name__}). Pass the object that "
                "holds the whole network.",
                attr=name,
            )
    if network is None and model.toplevel is None:
        warnings.warn(
            "The model has no top-level network: no parameter is trainable.",
            stacklevel=3,
        )


def check_probes(probes, known):
    """Return the given probes as a tuple; all of them for None."""
    if probes is None:
        return tuple(known)
    given = tuple(probes) if isinstance(probes, list | tuple) else (probes,)
    for probe in given:
        if probe not in known:
            raise ValidationError(
                f"must be a list of probes of the simulated network (got {probe!r}). "
                "Leave it out for all probes.",
                attr="outputs",
            )
    return given


def check_keywords(what, method, kwargs):
    """Check arguments that go to a method of Keras: their names, and common values."""
    known = [name for name in inspect.signature(method).parameters if name != "self"]
    for name in kwargs:
        if name not in known:
            raise TypeError(
                f"Simulator.{what}: expected arguments of its own or of "
                f"keras.Model.{what} (got {name!r}).{suggestion(name, known)} Keras' "
                f"are {', '.join(known)}."
            )
    for name in ("epochs", "initial_epoch"):
        with argument(name):
            whole(kwargs.get(name, 0), 0, advice=f"Pass {name}=1, 2, ...")
    callbacks = kwargs.get("callbacks")
    if callbacks is None or isinstance(callbacks, keras.callbacks.CallbackList):
        return
    listed = callbacks if isinstance(callbacks, list | tuple) else [callbacks]
    for callback in listed:
        if not isinstance(callback, keras.callbacks.Callback):
            raise ValidationError(
                f"must be a list of keras.callbacks.Callback (got {callback!r}). For "
                "functions, there is keras.callbacks.LambdaCallback.",
                attr="callbacks",
            )


def check_steps_without_loop(n_steps, unroll):
    """Check that a network without a loop is asked for just the steps it has."""
    if n_steps != unroll:
        raise ValidationError(
            f"must equal unroll_simulation={unroll} in a network with use_loop=False "
            f"(got {n_steps}). Pass that number, or make the Simulator with another "
            "unroll_simulation.",
            attr="n_steps",
        )


def warn_of_delays(network, probes=()):
    """Warn that a single step which leaves no state behind passes no synapse."""
    connections = [] if network is None else network.all_connections
    delayed = [obj for obj in (*connections, *probes) if obj.synapse is not None]
    if delayed:
        warnings.warn(
            f"One step with stateful=False: what enters {delayed[0]} comes out a step "
            "later, when the state has been put back. Run more steps, or set its "
            "synapse to None.",
            stacklevel=3,
        )
