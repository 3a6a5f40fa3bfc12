"""Parameters that may differ between neurons of a population, and types with them."""

import nengo
import numpy as np
from nengo.exceptions import ValidationError
from nengo.params import NdarrayParam


class NumbersParam(NdarrayParam):
    """A number, or an array with one for each neuron."""

    def __init__(self, name, low=-np.inf, high=np.inf, is_open=False):
        super().__init__(name, readonly=True)
        self.low, self.high, self.is_open = low, high, is_open

    def coerce(self, instance, value):
        """Return a float, or an array of shape (n_neurons,) that cannot be written."""
        try:
            numbers = np.array(value, dtype=float)
        except (TypeError, ValueError) as error:
            raise self._error(instance, value) from error
        low = np.all(numbers > self.low if self.is_open else numbers >= self.low)
        if numbers.ndim > 1 or not low or not np.all(numbers <= self.high):
            raise self._error(instance, value)
        numbers.setflags(write=False)
        return numbers if numbers.ndim else float(numbers)

    def _error(self, instance, value, kind="number"):
        bound = f" {'above' if self.is_open else 'of at least'} {self.low:g}"
        above = "" if self.low == -np.inf else bound
        below = "" if self.high == np.inf else f" of at most {self.high:g}"
        return ValidationError(
            f"expected a {kind}{above}{below}, or an array of shape (n_neurons,) of "
            f"them (got {value!r}). Leave it out to keep the default.",
            attr=self.name,
            obj=instance,
        )


class WholeNumbersParam(NumbersParam):
    """A whole number, or an array with one for each neuron."""

    def coerce(self, instance, value):
        """Return an int, or an array of shape (n_neurons,) that cannot be written.

        What is infinite stays a float.
        """
        numbers = super().coerce(instance, value)
        if np.any(numbers != np.round(numbers)):
            raise self._error(instance, value)
        return (
            int(numbers) if np.ndim(numbers) == 0 and np.isfinite(numbers) else numbers
        )

    def _error(self, instance, value, kind="whole number"):
        return super()._error(instance, value, kind)


class HeterogeneousNeuronType(nengo.neurons.NeuronType):
    """A neuron type with parameters that may differ between neurons."""

    def make_state(self, n_neurons, rng=np.random, dtype=None):
        """Return arrays of the initial state of a population."""
        for name, param in self._paramdict.items():
            if isinstance(param, NumbersParam):
                self._check_length(name, n_neurons)
        return super().make_state(n_neurons, rng, dtype)

    def _check_length(self, name, n_neurons):
        """Raise an error if an array has not one number for each neuron."""
        numbers = getattr(self, name)
        if np.ndim(numbers) and len(numbers) != n_neurons:
            raise ValidationError(
                f"expected a number, or one for each of the {n_neurons} neurons (got "
                f"an array of {len(numbers)}). Pass an array of shape ({n_neurons},).",
                attr=name,
                obj=self,
            )
