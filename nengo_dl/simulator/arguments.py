"""Checks of what a `Simulator` is made and called with.

Each check raises an error or gives a warning on behalf of its caller (``obj``, the
class that messages name); some return the argument in the form that is used.
"""

import inspect
import warnings
from decimal import Decimal
from numbers import Integral, Real

import keras
import nengo
import numpy as np
import tensorflow as tf
from nengo.builder import Model
from nengo.exceptions import NengoWarning, ValidationError

from nengo_dl.names import suggestion
from nengo_dl.simulator.gpus import unused_gpu

DEFAULT_ADVICE = "Leave it out for the default."


# Steps are counted with 32 bits in the compiled loop
MAX_STEPS = 2**31 - 1
# Each of them is traced and compiled: more would take hours, and make nothing faster
MAX_UNROLL = 10_000


def whole(name, value, low, obj, advice=DEFAULT_ADVICE, high=None):
    """Return an argument that must be a whole number in a range, as an int."""
    is_whole = isinstance(value, Integral) and not isinstance(value, bool)
    is_high = is_whole and high is not None and value > high
    if not is_whole or value < low or is_high:
        limits = f"at most {high}" if is_high else f"at least {low}"
        raise ValidationError(
            f"must be a whole number, {limits} (got {value!r}). {advice}",
            attr=name,
            obj=obj,
        )
    return int(value)


def check_unroll(value, obj):
    """Return the number of steps to spell out in an iteration of the loop."""
    return whole("unroll_simulation", value, 1, obj, high=MAX_UNROLL)


def is_number(value):
    """Tell whether a value is one real number, and neither a text nor a truth value."""
    if isinstance(value, Real | Decimal):
        return not isinstance(value, bool)
    return np.ndim(value) == 0 and np.asarray(value).dtype.kind in "iuf"


def check_seed(seed, obj):
    """Return a seed as an int from 0 to 2**32 - 1."""
    limit = 2**32
    if (
        isinstance(seed, bool)
        or not isinstance(seed, Integral)
        or not 0 <= seed < limit
    ):
        raise ValidationError(
            f"must be a whole number from 0 to 2**32 - 1 (got {seed!r}). Leave it out "
            "to use that of the network.",
            attr="seed",
            obj=obj,
        )
    return int(seed)


def seed_after(seed):
    """Return the seed of a simulation of a network; the last one is followed by 0."""
    return (seed + 1) % 2**32


def choose_seed(seed, network, obj):
    """Return the given seed, one derived from the network's, or a random one."""
    if seed is not None:
        return check_seed(seed, obj)
    if network is not None and network.seed is not None:
        return seed_after(network.seed)
    return int(np.random.randint(np.iinfo(np.int32).max))


def check_device(device, obj):
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
            obj=obj,
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


def check_network(network, model, obj):
    """Check that there is a network, or a model that has been built."""
    if network is None and model is None:
        raise ValidationError(
            "must be a nengo.Network (got None). Pass one, or a `model` that has been "
            "built.",
            attr="network",
            obj=obj,
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
                obj=obj,
            )
    if network is None and model.toplevel is None:
        warnings.warn(
            "The model has no top-level network: no parameter is trainable.",
            stacklevel=3,
        )


def check_dt(dt, model, obj):
    """Check a time step in seconds; warn if the model has another, which counts."""
    if model is None:
        seconds = float(dt) if is_number(dt) else np.nan
        if not 0 < seconds < np.inf:
            raise ValidationError(
                f"must be a positive number of seconds (got {dt!r}). Leave it out for "
                "steps of 0.001 s.",
                attr="dt",
                obj=obj,
            )
    elif model.dt != dt:
        warnings.warn(
            NengoWarning(
                f"The model was made with dt={model.dt}, which is used instead of "
                f"dt={dt}."
            ),
            stacklevel=3,
        )


def check_dt_in(dtype, dt, obj):
    """Check that times in the simulation's precision are neither 0 nor infinite."""
    with np.errstate(all="ignore"):
        rounded = np.dtype(dtype).type(dt)
    limits = np.finfo(dtype)
    if not limits.tiny <= rounded <= limits.max / MAX_STEPS:
        raise ValidationError(
            f"must be a number of seconds that {dtype} can count with (got {dt!r}). "
            "Choose steps of about a millisecond (0.001), or "
            "configure_settings(dtype='float64').",
            attr="dt",
            obj=obj,
        )


def check_probes(probes, known, obj):
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
                obj=obj,
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
        whole(name, kwargs.get(name, 0), 0, None, f"Pass {name}=1, 2, ...")
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
