"""Small data and short trainings: the start-up file of the kernel that tests notebooks.

Pages of the documentation show whole trainings, on data that are as small.
"""

import functools
import runpy
from pathlib import Path

import keras

runpy.run_path(str(Path(__file__).parents[1] / "docs" / "small_data.py"))


def shortened(fit, max_epochs):
    """Return a method like ``keras.Model.fit`` that trains for few epochs.

    It uses no names of this file, which notebooks forget.
    """

    @functools.wraps(fit)
    def short(self, *args, epochs=1, **kwargs):
        return fit(self, *args, epochs=min(epochs, max_epochs), **kwargs)

    return short


keras.Model.fit = shortened(keras.Model.fit, max_epochs=2)
