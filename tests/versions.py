"""Versions of what is installed, as tuples of numbers."""

import keras

KERAS = tuple(map(int, keras.__version__.split(".")[:2]))
