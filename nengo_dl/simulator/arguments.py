"""Checks of the arguments of a `Simulator` and its methods.

Errors name the argument; the class that has it is added by `.errors.arguments_of`.
"""

import inspect
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import keras
import nengo
from nengo import Network, Probe
from nengo.builder import Model
from nengo.exceptions import ValidationError

from nengo_dl.arguments import whole
from nengo_dl.errors import argument
from nengo_dl.names import suggestion
from nengo_dl.simulator.stacklevel import user_level


def check_network(network: Network | None, model: Model | None) -> Network | None:
    """Return the top-level network; raise without a network and a built model."""
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
    if network is not None:
        return network
    if model is None:
        raise ValidationError(
            "must be a nengo.Network (got None). Pass one, or a `model` that has been "
            "built.",
            attr="network",
        )
    if model.toplevel is None:
        warnings.warn(
            "The model has no top-level network: no parameter is trainable.",
            stacklevel=user_level(),
        )
    return model.toplevel


def check_probes(probes: Any, known: Sequence[Probe]) -> tuple[Probe, ...]:
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


def check_keywords(
    name: str, method: Callable[..., Any], kwargs: Mapping[str, Any]
) -> None:
    """Check arguments that go to a method of Keras: their names, and common values."""
    known = [key for key in inspect.signature(method).parameters if key != "self"]
    for key in kwargs:
        if key not in known:
            raise TypeError(
                f"Simulator.{name}: expected arguments of its own or of "
                f"keras.Model.{name} (got {key!r}).{suggestion(key, known)} Keras' "
                f"are {', '.join(known)}."
            )
    for key in ("epochs", "initial_epoch"):
        with argument(key):
            whole(kwargs.get(key, 0), 0, advice=f"Pass {key}=1, 2, ...")
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


def check_steps_without_loop(n_steps: int, unroll: int) -> None:
    """Check that a network without a loop is asked for just the steps it has."""
    if n_steps != unroll:
        raise ValidationError(
            f"must equal unroll_simulation={unroll} in a network with use_loop=False "
            f"(got {n_steps}). Pass that number, or make the Simulator with another "
            "unroll_simulation.",
            attr="n_steps",
        )


def warn_of_delays(network: Network | None, probes: Iterable[Probe] = ()) -> None:
    """Warn that a single step which leaves no state behind passes no synapse."""
    connections = [] if network is None else network.all_connections
    delayed = [obj for obj in (*connections, *probes) if obj.synapse is not None]
    if delayed:
        warnings.warn(
            f"One step with stateful=False: what enters {delayed[0]} comes out a step "
            "later, when the state has been put back. Run more steps, or set its "
            "synapse to None.",
            stacklevel=user_level(),
        )
