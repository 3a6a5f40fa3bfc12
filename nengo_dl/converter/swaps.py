"""Replacements of activations by others, in terms of their forms."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from nengo.neurons import NeuronType

from nengo_dl.converter.forms import Composite, Form, SoftmaxOver
from nengo_dl.neurons import LeakyReLU, Pointwise


@dataclass(frozen=True, eq=False)
class Swap:
    """One replacement.

    A general key is a name or function: it means the activation with any parameters,
    such as any slope of a leaky rectifier. Others mean what is equal.
    """

    key: Any  # what is replaced, as the user wrote it
    form: Form  # what the key means
    is_general: bool
    value: Form  # what takes the place


@dataclass(frozen=True)
class Swaps:
    """Replacements of activations, whatever they are called."""

    swaps: tuple[Swap, ...] = ()

    def __iter__(self) -> Iterator[Swap]:
        return iter(self.swaps)

    @property
    def have_spikes(self) -> bool:
        """Whether anything is replaced by spiking neurons."""
        values = (swap.value for swap in self.swaps)
        return any(isinstance(v, NeuronType) and v.spiking for v in values)

    def find(self, form: Form) -> tuple[Form, tuple[Swap, ...]]:
        """Return what stands in for a form (or itself), and which swaps say so.

        What a name or function is replaced by can itself be replaced, if it is a key
        as a neuron type.
        """
        found = self._find(form, self.swaps)
        if not found:
            return form, ()
        again: tuple[Swap, ...] = ()
        if found[0].is_general:
            exact = tuple(s for s in self.swaps if not s.is_general)
            again = self._find(found[0].value, exact)
        return (again or found)[0].value, found + again

    def __call__(self, form: Form) -> Form:
        """Return what stands in for a form; the form itself if nothing does."""
        return self.find(form)[0]

    def _find(self, form: Form, swaps: tuple[Swap, ...]) -> tuple[Swap, ...]:
        """Return the replacement of what is equal, or else of what is of the kind."""
        found = tuple(swap for swap in swaps if is_same(swap.form, form))
        if not found:
            kind = _kind(form)
            found = tuple(
                s for s in swaps if s.is_general and is_same(_kind(s.form), kind)
            )
        return found


NO_SWAPS = Swaps()


def is_same(first: Any, second: Any) -> bool:
    """Whether forms are the same: neuron types by value, functions by identity."""
    if isinstance(first, NeuronType | Composite | tuple):
        return type(first) is type(second) and first == second
    return first is second


def _kind(form: Form) -> Any:
    """Return a form without its parameters, where one name stands for all of them."""
    if type(form) is LeakyReLU:
        return LeakyReLU
    if isinstance(form, SoftmaxOver):
        return SoftmaxOver
    if type(form) is Pointwise:
        return (Pointwise, form.function)
    return form
