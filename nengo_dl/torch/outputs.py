"""The outputs of several probes: a tuple with names."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import torch


class Outputs(tuple):
    """The outputs of a `Network` with several probes.

    A tuple, in the order of the probes, whose elements can also be had by name:
    ``outputs["name"]``.

    Parameters
    ----------
    names : iterable of str
        Names of the probes.
    tensors : iterable of torch.Tensor
        Their values.
    """

    names: tuple[str, ...]

    def __new__(cls, names: Iterable[str], tensors: Iterable[torch.Tensor]) -> Outputs:
        """Make the tuple."""
        outputs = super().__new__(cls, tensors)
        outputs.names = tuple(names)
        return outputs

    def __getitem__(self, key):
        """Return an element, by its name or its position, or a slice."""
        if not isinstance(key, str):
            return super().__getitem__(key)
        if key not in self.names:
            raise KeyError(key)
        return super().__getitem__(self.names.index(key))

    def __getnewargs__(self):
        return self.names, tuple(self)

    def keys(self) -> tuple[str, ...]:
        """Return the names."""
        return self.names

    def values(self) -> tuple[torch.Tensor, ...]:
        """Return the elements."""
        return tuple(self)

    def items(self) -> Iterator[tuple[str, torch.Tensor]]:
        """Return pairs of names and elements."""
        return iter(zip(self.names, self, strict=True))

    def __repr__(self):
        return f"{type(self).__name__}({dict(self.items())!r})"
