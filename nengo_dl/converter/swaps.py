"""The user's replacements of activations, and which of them were needed."""

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import keras
from nengo.ensemble import Neurons
from nengo.neurons import NeuronType

from nengo_dl.converter.activations import Composite, Form, SoftmaxOver, canonical
from nengo_dl.names import suggestion
from nengo_dl.neurons import LeakyReLU, Pointwise

WHERE = "Converter.swap_activations"


@dataclass(frozen=True)
class Swap:
    """One replacement.

    Parameters
    ----------
    key : object
        What is replaced, as the user wrote it.
    form : Form
        The activation that the key means.
    is_general : bool
        Whether the key is a name or function: it then means the activation with any
        parameters, such as any slope of a leaky rectifier. Others mean what is equal.
    value : Form
        What takes the place.
    """

    key: Any
    form: Form
    is_general: bool
    value: Form


class Swaps:
    """Replaces activations, whatever they are called.

    Parameters
    ----------
    swaps : mapping or None
        From activation functions, their names and neuron types to the same. None and
        "linear" stand for no activation.

    Raises
    ------
    TypeError
        If a key or value is something else.
    ValueError
        If there is no function of a name, or an activation has two values.
    """

    def __init__(self, swaps: Mapping | None):
        self._swaps = tuple(
            Swap(key, _form(key), _is_general(key), _form(value))
            for key, value in (swaps or {}).items()
        )
        self._used: set[Swap] = set()
        self._check_values()

    def __call__(self, activation: Any) -> Form:
        """Return what stands in for an activation; its own form if nothing does.

        What a name or function is replaced by can itself be replaced, if it is a key
        as a neuron type.
        """
        form = canonical(activation)
        swap = self._find(form, self._swaps)
        if swap is None:
            return form
        if swap.is_general:
            exact = tuple(s for s in self._swaps if not s.is_general)
            swap = self._find(swap.value, exact) or swap
        return swap.value

    def has(self, activation: Any) -> bool:
        """Whether something stands in for an activation."""
        return self._find(canonical(activation), self._swaps) is not None

    def warn_of_unused(self) -> None:
        """Warn of replacements for activations that did not occur."""
        unused = [_shown(swap.key) for swap in self._swaps if swap not in self._used]
        if unused:
            warnings.warn(
                f"{WHERE}: expected activations of the model (got {', '.join(unused)}, "
                "which it does not have). The others are swapped.",
                stacklevel=4,
            )

    def _find(self, form: Form, swaps: tuple[Swap, ...]) -> Swap | None:
        """Return the replacement of what is equal, or else of what is of the kind."""
        found = [swap for swap in swaps if _same(swap.form, form)]
        if not found:
            kind = _kind(form)
            found = [s for s in swaps if s.is_general and _same(_kind(s.form), kind)]
        self._used.update(found)
        return found[0] if found else None

    def _check_values(self) -> None:
        for i, swap in enumerate(self._swaps):
            for other in self._swaps[:i]:
                is_one = _same(other.form, swap.form)
                if is_one and not _same(other.value, swap.value):
                    raise ValueError(
                        f"{WHERE}: expected one value for each activation (got "
                        f"{_shown(other.value)} for {_shown(other.key)} and "
                        f"{_shown(swap.value)} for {_shown(swap.key)}, which are names "
                        "of one activation). Remove one of the two."
                    )


def warn_of_rates(populations: list[Neurons], swapped: set[Neurons]) -> None:
    """Warn of populations that are still rate neurons, although others were swapped.

    Parameters
    ----------
    populations : list of Neurons
        All that a conversion has made.
    swapped : set of Neurons
        Those whose neuron type comes from a replacement.
    """
    still: dict[str, list[str]] = {}
    for neurons in populations:
        neuron_type = neurons.ensemble.neuron_type
        if neurons not in swapped and not neuron_type.spiking:
            name = getattr(neuron_type, "function", type(neuron_type).__name__)
            still.setdefault(name, []).append(repr(neurons.ensemble.label))
    if swapped and still:
        listed = "; ".join(f"{name}: {', '.join(of)}" for name, of in still.items())
        warnings.warn(
            f"{WHERE}: expected to swap the activations of all neurons (got "
            f"populations that are still rate neurons, {listed}). Add their "
            "activations, if they should spike.",
            stacklevel=4,
        )


def _form(value: Any) -> Form:
    """Return the form of a key or a value."""
    is_form = value is None or isinstance(value, NeuronType | Composite)
    is_function = isinstance(value, str) or callable(value)
    if isinstance(value, type) or not (is_form or is_function):
        raise TypeError(
            f"{WHERE}: expected activation functions and neuron types (got {value!r}). "
            "Use e.g. {keras.activations.relu: nengo.LIF()}."
        )
    try:
        return canonical(value)
    except ValueError as error:
        names = [name for name in dir(keras.activations) if name.islower()]
        raise ValueError(
            f"{WHERE}: expected the name of a function in keras.activations (got "
            f"{value!r}).{suggestion(value, names) or ' Pass the function itself.'}"
        ) from error


def _is_general(key: Any) -> bool:
    with_parameters = NeuronType | Composite | keras.Operation | partial
    return not isinstance(key, with_parameters)


def _kind(form: Form) -> Any:
    """Return a form without its parameters, where one name stands for all of them."""
    if type(form) is LeakyReLU:
        return LeakyReLU
    if isinstance(form, SoftmaxOver):
        return SoftmaxOver
    if type(form) is Pointwise:
        return (Pointwise, form.function)
    return form


def _same(first: Any, second: Any) -> bool:
    """Neuron types are equal by value, functions by identity."""
    if isinstance(first, NeuronType | Composite | tuple):
        return type(first) is type(second) and first == second
    return first is second


def _shown(value: Any) -> str:
    return getattr(value, "__name__", None) or str(value)
