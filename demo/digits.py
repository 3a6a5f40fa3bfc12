"""The data: 1,797 handwritten digits of 8 x 8 pixels, which come with scikit-learn."""

from dataclasses import dataclass

import numpy as np
from sklearn.datasets import load_digits

IMAGE_SHAPE = (8, 8)
N_CLASSES = 10


@dataclass(frozen=True)
class Digits:
    """Images and what they show.

    Parameters
    ----------
    images : ndarray of shape (n, 64)
        Pixels between -1 (paper) and 1 (ink).
    labels : ndarray of shape (n,)
        The digits 0 to 9.
    """

    images: np.ndarray
    labels: np.ndarray

    def __len__(self):
        return len(self.labels)

    def __getitem__(self, index):
        return Digits(self.images[index], self.labels[index])

    @property
    def one_hot(self):
        """(ndarray of shape (n, 10)) 1 at the place of the digit, 0 elsewhere."""
        return np.eye(N_CLASSES)[self.labels]


def load(n_test=360, seed=0):
    """Return training and test digits, shuffled."""
    images, labels = load_digits(return_X_y=True)
    order = np.random.RandomState(seed).permutation(len(labels))
    digits = Digits(images / 8 - 1, labels)[order]
    return digits[n_test:], digits[:n_test]
