"""Indices as boxes: a few numbers in place of one for each element.

The elements that padding, cropping, broadcasting and transposing touch are boxes in
memory. As long lists of numbers, they would be copied with the graph again and again,
and gathers and scatters are slow, above all their gradients.
"""

from dataclasses import dataclass

import numpy as np

# More boxes than this are no simpler than the index. Each costs an operation that XLA
# has to compile, so that several pay only if they are large.
MAX_BOXES = 256
MIN_SIZE = 4096
# Tensors do not have any number of axes.
MAX_AXES = 5
# With as many changes of direction, per element or in all, nobody looks for boxes.
MAX_CHANGES = (0.9, 1_000_000)


@dataclass(frozen=True)
class Box:
    """The elements ``start + sum(i * stride)``, for i below the lengths, row by row.

    Strides are 0 along axes that repeat elements. All others are multiples of the next
    smaller one, and no row is longer than the stride from one to the next.

    Parameters
    ----------
    start : int
        The first element.
    lengths, strides : tuple of int
        The length of each axis, and how far apart its elements are.
    """

    start: int
    lengths: tuple[int, ...]
    strides: tuple[int, ...]

    @property
    def size(self) -> int:
        """Number of elements."""
        return int(np.prod(self.lengths))

    @property
    def elements(self) -> np.ndarray:
        """The index that the box stands for."""
        index = np.full(self.lengths, self.start)
        for axis, (n, stride) in enumerate(
            zip(self.lengths, self.strides, strict=True)
        ):
            along = [1] * len(self.lengths)
            along[axis] = n
            index += (stride * np.arange(n)).reshape(along)
        return index.ravel()

    @property
    def repeats(self) -> bool:
        """Whether an element occurs more than once."""
        return 0 in self.strides

    @property
    def stop(self) -> int:
        """The element after the last one in memory."""
        pairs = zip(self.lengths, self.strides, strict=True)
        return self.start + sum((n - 1) * stride for n, stride in pairs) + 1

    @property
    def order(self) -> tuple[int, ...]:
        """The axes that do not repeat elements, those with large strides first."""
        axes = [axis for axis, stride in enumerate(self.strides) if stride != 0]
        return tuple(sorted(axes, key=lambda axis: -self.strides[axis]))


def boxes(index: np.ndarray) -> tuple[Box, ...] | None:
    """Write an index as boxes, one after the other; None if that is not simpler."""
    starts = np.asarray(index, np.int64)
    kinds, shapes = np.zeros(len(starts), np.int64), [((), ())]
    while len(starts) > 1:
        found = _compress(starts, kinds, shapes)
        if found is None:
            return None
        if len(found[0]) == len(starts):
            break
        starts, kinds, shapes = found
    if len(starts) > min(MAX_BOXES, max(1, len(index) // MIN_SIZE)):
        return None
    made = tuple(
        Box(int(start), *shapes[kind])
        for start, kind in zip(starts, kinds, strict=True)
    )
    return made if all(map(_is_regular, made)) else None


def _compress(starts, kinds, shapes):
    """Make one token of each run of equal tokens at equal distances.

    A token is a start and a kind, the position of its lengths and strides in `shapes`.
    """
    distances = np.diff(starts)
    is_equal = kinds[1:] == kinds[:-1]
    changes = (distances[1:] != distances[:-1]) | (is_equal[1:] != is_equal[:-1])
    lasts = np.append(np.flatnonzero(changes), len(distances) - 1)
    if len(lasts) > max(MAX_BOXES, min(MAX_CHANGES[0] * len(starts), MAX_CHANGES[1])):
        return None
    firsts, counts = _runs(lasts.tolist(), is_equal[lasts].tolist(), len(starts))
    strides = np.where(counts > 1, distances[np.minimum(firsts, len(distances) - 1)], 0)
    rows = np.stack([kinds[firsts], counts, strides], axis=1)
    unique, new_kinds = np.unique(rows, axis=0, return_inverse=True)
    new_shapes = []
    for kind, count, stride in unique.tolist():
        lengths, inner = shapes[kind]
        if count > 1:
            lengths, inner = (count, *lengths), (stride, *inner)
        new_shapes.append((lengths, inner))
    return starts[firsts], new_kinds.reshape(-1), new_shapes


def _runs(lasts, are_equal, n_tokens):
    """Cut tokens into runs, each as long as it can be, from left to right.

    `lasts` are the last of equal distances in a row, each to the next token.
    """
    firsts, counts = [], []
    token = 0
    for last, is_equal in zip(lasts, are_equal, strict=True):
        if token > last:
            continue
        if is_equal:
            firsts.append(token)
            counts.append(last + 2 - token)
        else:
            alone = range(token, last + 1)
            firsts.extend(alone)
            counts.extend([1] * len(alone))
        token = last + (2 if is_equal else 1)
    if token < n_tokens:
        firsts.append(token)
        counts.append(1)
    return np.array(firsts), np.array(counts)


def _is_regular(box: Box) -> bool:
    if len(box.strides) > MAX_AXES or any(stride < 0 for stride in box.strides):
        return False
    order = box.order
    return all(
        box.strides[outer] % box.strides[inner] == 0
        and box.lengths[inner] * box.strides[inner] <= box.strides[outer]
        for outer, inner in zip(order, order[1:], strict=False)
    )
