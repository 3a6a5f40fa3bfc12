"""From the weights of a converted network back to those of the Keras model.

No rule of conversion says which element of the model each element of the network comes
from. It is found out: the model is converted once more for each digit of the numbers of
its elements, with these digits in place of its weights.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import numpy as np
from nengo.exceptions import ValidationError

from nengo_dl.converter import Converter
from nengo_dl.converter.build import array
from nengo_dl.converter.keras_conversion import convert
from nengo_dl.converter.numbering import BASE
from nengo_dl.keras_model.nengo_layer import NengoLayer
from nengo_dl.silence import warnings_ignored

# The largest base whose digits single precision holds; half precisions hold BASE
SINGLE_BASE = 2**22

Values = Mapping[str, np.ndarray]  # by the names of the network's parameters


class Origins:
    """Where the weights of a network come from.

    Parameters
    ----------
    converter : `Converter`
        Has made the network.
    """

    def __init__(self, converter: Converter):
        self._weights = converter.conversion.plan.options.model.weights
        self._shapes = [tuple(weight.shape) for weight in self._weights]
        sizes = [int(np.prod(shape)) for shape in self._shapes]
        self._starts = np.cumsum([0, *sizes])
        self._numbers, self._signs = self._find(converter)
        self._forget_computed(converter)

    def give_back(self, layer: NengoLayer) -> None:
        """Assign the weights of a network to the model.

        Raises
        ------
        ValidationError
            If weights that are trained are computed from those of the model, or if
            several come from the same one. Nothing has been assigned then.
        """
        flat = np.concatenate([np.ravel(array(w)) for w in self._weights])
        given = np.full(len(flat), np.nan)
        for name, part in layer.named_variables().items():
            number, values = self._numbers[name], part.numpy()
            known = number >= 0
            if part.variable.trainable and not np.all(known):
                raise ValidationError(
                    f"expected weights of the model (got '{name}', which are computed "
                    "from them). Read them from the weights of the network.",
                    attr="unwrap",
                )
            new = (values * self._signs[name])[known]
            before = given[number[known]]
            if np.any(~np.isnan(before) & (before != new)):
                raise ValidationError(
                    f"expected one value for each weight of the model (got several, "
                    f"in '{name}' and others, which come from a layer that is called "
                    "several times). Read them from the weights of the network.",
                    attr="unwrap",
                )
            given[number[known]] = new
        flat = np.where(np.isnan(given), flat, given)
        self._assign(flat)

    def _find(
        self, converter: Converter
    ) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
        """Return the number of the element that each element is, and its sign."""
        size = self._starts[-1]
        is_single = all(weight.dtype == "float32" for weight in self._weights)
        base = SINGLE_BASE if is_single else BASE
        numbers: dict[str, np.ndarray] = {}
        signs: dict[str, np.ndarray] = {}
        power = 1
        while power <= size:
            digits = np.arange(size) // power % base + 1  # no zeros, which vanish
            for name, found in self._converted(converter, digits).items():
                number = numbers.setdefault(name, np.zeros(found.shape, np.int64))
                is_digit = (found == np.rint(found)) & (found != 0)
                is_digit &= np.abs(found) <= base
                digit = np.where(is_digit, np.abs(found) - 1, -size * base)
                numbers[name] = number + power * digit.astype(np.int64)
                signs[name] = np.sign(found)
            power *= base
        return numbers, signs

    def _forget_computed(self, converter: Converter) -> None:
        """Forget the numbers of what is computed from weights, such as factors."""
        values = np.random.RandomState(0).uniform(0.5, 1.5, self._starts[-1])
        values = np.round(values * 64) / 64  # which every precision holds
        found = self._converted(converter, values)
        for name, number in self._numbers.items():
            inside = (number >= 0) & (number < len(values))
            expected = values[np.where(inside, number, 0)] * self._signs[name]
            is_same = inside & (expected == found.get(name, np.nan))
            self._numbers[name] = np.where(is_same, number, -1)

    def _converted(self, converter: Converter, values: np.ndarray) -> Values:
        """Return the parameters of the network for other weights of the model."""
        conversion = converter.conversion
        with self._weights_set(values), warnings_ignored():
            net = convert(conversion.plan, converter.tunings, converter.synapse).net
            layer = NengoLayer(net)
            # what Keras cannot copy has the weights of the model
            found = layer.named_variables()
            return {name: part.numpy() for name, part in found.items()}

    @contextmanager
    def _weights_set(self, values: np.ndarray) -> Iterator[None]:
        before = [array(weight) for weight in self._weights]
        self._assign(values)
        try:
            yield
        finally:
            for weight, value in zip(self._weights, before, strict=True):
                weight.assign(value)

    def _assign(self, flat: np.ndarray) -> None:
        pairs = zip(self._weights, self._parts(flat), strict=True)
        for weight, value in pairs:
            weight.assign(value)

    def _parts(self, flat: np.ndarray) -> Sequence[np.ndarray]:
        parts = np.split(flat, self._starts[1:-1])
        return [x.reshape(s) for x, s in zip(parts, self._shapes, strict=True)]
