"""Checks of what a `Simulator` is made and called with.

Each check raises an error or gives a warning on behalf of its caller (``obj``, the
class that messages name); some return the argument in the form that is used.
"""

import warnings
from numbers import Integral

import nengo
import numpy as np
import tensorflow as tf
from nengo.builder import Model
from nengo.exceptions import NengoWarning, ValidationError

DEFAULT_ADVICE = "Leave it out for the default."


def whole(name, value, low, obj, advice=DEFAULT_ADVICE):
    """Return an argument that must be a whole number, at least `low`, as an int."""
    if isinstance(value, bool) or not isinstance(value, Integral) or value < low:
        raise ValidationError(
            f"must be a whole number, at least {low} (got {value!r}). {advice}",
            attr=name,
            obj=obj,
        )
    return int(value)


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

    Warns if that choice can only be the CPU.
    """
    if device is None:
        if not tf.config.list_physical_devices("GPU"):
            warnings.warn(
                "No GPU is visible to TensorFlow; the simulation runs on the CPU. Pass "
                'device="/cpu:0" to say that this is meant.',
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
        try:
            seconds = np.nan if isinstance(dt, bool) else float(dt)
        except (TypeError, ValueError):
            seconds = np.nan
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
