"""Arrays of spikes in files: what other frameworks have put out.

This imports NumPy alone, so that `tests.nir.record` can run it beside them.
"""

import numpy as np


def packed(spikes):
    """Return arrays of numbers of spikes, by name, in a form that is small."""
    return {
        f"{name}|{part}": value
        for name, x in spikes.items()
        for part, value in (
            ("shape", np.array(x.shape)),
            ("spikes", np.packbits(x > 0) if x.max() <= 1 else x.astype(np.uint8)),
        )
    }


def unpacked(path):
    """Return the arrays of a file, by name."""
    with np.load(path) as file:
        found = {}
        for name in {key.split("|")[0] for key in file.files}:
            shape, x = tuple(file[f"{name}|shape"]), file[f"{name}|spikes"]
            if x.ndim == 1:
                x = np.unpackbits(x)[: np.prod(shape)].reshape(shape)
            found[name] = x
        return found
