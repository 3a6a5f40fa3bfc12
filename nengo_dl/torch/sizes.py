"""The sizes of minibatches that are compiled, so that few are."""

# A size of its own is compiled after so many calls that filled up more than half
MAX_MISFITS = 50


class Sizes:
    """Chooses what a minibatch is filled up to.

    XLA compiles for each size, which takes seconds. The last minibatch of an epoch is
    mostly smaller than the others, and runs with their size.
    """

    def __init__(self) -> None:
        self._sizes: dict[object, dict[int, int]] = {}

    def choose(self, key: object, n_items: int) -> int:
        """Return a size that is compiled already, or else that of the minibatch.

        Parameters
        ----------
        key : object
            All else that is compiled for.
        n_items : int
            The number of items of a minibatch; the size is no smaller.
        """
        misfits = self._sizes.setdefault(key, {})
        found = min((size for size in misfits if size >= n_items), default=None)
        if found is not None and 2 * n_items <= found:
            misfits[found] += 1
            if misfits[found] > MAX_MISFITS:
                misfits[found], found = 0, None
        if found is None:
            found = max(n_items, 1)
            misfits[found] = 0
        return found
