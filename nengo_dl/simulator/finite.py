"""Numbers in user data that are none."""

import numpy as np


def first_bad(array):
    """Describe the first number that is not finite.

    Parameters
    ----------
    array : ndarray of shape (items, n_steps, size)
        Numbers.

    Returns
    -------
    bad : str or None
        Its value and where it is; None if all numbers are finite.
    """
    with np.errstate(all="ignore"):  # a finite sum has finite terms
        if np.isfinite(array.sum(dtype=np.float64)):
            return None
    bad = np.argwhere(~np.isfinite(array.astype(np.float64)))
    if not len(bad):
        return None
    item, step, dim = (int(i) for i in bad[0])
    value = array[item, step, dim]
    return f"{value} at item {item}, step {step}, dimension {dim}"
