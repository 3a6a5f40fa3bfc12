"""Small data in place of the data sets that Keras downloads.

Python's start-up file of the notebooks' kernels, see ``docs/conf.py``: notebooks then
run without internet, and in seconds. Arrays have the shapes and types of the real ones,
with fewer items: scikit-learn's handwritten digits, and clothes that are drawn here.
"""

import warnings

import keras
import nengo
import numpy as np
import tensorflow as tf
from PIL import Image, ImageDraw
from scipy import ndimage
from sklearn import datasets

N_TRAIN, N_TEST = 1000, 300

# Corners (x, y) of polygons, from 0 to 100, in the order of Fashion-MNIST's labels.
SLEEVES = "20 25 35 15 42 20 58 20 65 15 80 25 95 80 82 84 72 45"
CLOTHES = (
    ["30 15 42 20 58 20 70 15 95 32 85 46 72 38 72 88 28 88 28 38 15 46 5 32"],
    ["32 8 68 8 72 92 56 92 50 32 44 92 28 92"],
    [SLEEVES + " 72 84 28 84 28 45 18 84 5 80"],
    ["38 8 45 20 55 20 62 8 60 40 76 92 24 92 40 40"],
    ["48 18 35 12 20 22 5 80 18 84 27 45 26 95 48 95", "52 18 65 12 80 22 95 80 "
     "82 84 73 45 74 95 52 95"],
    ["5 72 95 60 95 68 5 80", "20 72 38 42 46 42 30 71", "58 66 72 36 80 36 70 65"],
    ["28 12 40 22 60 22 72 12 88 26 97 60 85 64 70 42 70 90 30 90 30 42 15 64 3 60 "
     "12 26"],
    ["5 66 12 50 30 54 52 38 62 42 72 54 94 60 95 74 5 74"],
    ["12 45 88 45 94 86 6 86", "28 45 34 20 66 20 72 45 65 45 60 28 40 28 35 45"],
    ["30 12 60 12 60 48 92 64 94 80 28 80"],
)  # fmt: skip


def digits():
    """Return images of shape (items, 28, 28) and labels, enlarged from 8 by 8."""
    x, y = datasets.load_digits(return_X_y=True)
    images = ndimage.zoom(x.reshape(-1, 8, 8) / 16, (1, 2.5, 2.5), order=1)
    return np.pad(255 * images, ((0, 0), (4, 4), (4, 4))), y


def clothes():
    """Return images of shape (items, 28, 28) and labels: no two pieces are alike."""
    rng = np.random.RandomState(0)
    labels = np.arange(N_TRAIN + N_TEST) % len(CLOTHES)
    return np.stack([piece(label, rng) for label in labels]), labels


def piece(label, rng):
    """Draw a piece of clothing of random size, place, slant and shade."""
    large = Image.new("L", (112, 112))
    stretch = np.diag(rng.uniform(0.65, 1.05, size=2))
    stretch[0, 1] = rng.uniform(-0.15, 0.15)
    centre = 56 + rng.uniform(-8, 8, size=2)
    for text in CLOTHES[label]:
        corners = np.array(text.split(), dtype=float).reshape(-1, 2) - 50
        corners = corners @ stretch.T + centre
        ImageDraw.Draw(large).polygon([tuple(xy) for xy in corners], fill=255)
    small = np.asarray(large.resize((28, 28), Image.Resampling.BOX)) / 255
    cloth = rng.uniform(90, 255) + 25 * rng.randn(28, 28)
    return np.clip(small * cloth, 0, 255)


def loader(load):
    """Return a function like ``load_data`` for images and labels."""

    def load_data(*args, **kwargs):
        images, labels = load()
        order = np.random.RandomState(0).permutation(len(labels))
        x, y = images[order].astype(np.uint8), labels[order].astype(np.uint8)
        end = N_TRAIN + N_TEST
        return (x[:N_TRAIN], y[:N_TRAIN]), (x[N_TRAIN:end], y[N_TRAIN:end])

    return load_data


keras.datasets.mnist.load_data = loader(digits)
keras.datasets.fashion_mnist.load_data = loader(clothes)
# What is worth a warning on the machine that builds pages is of no use to their readers
nengo.rc.set("decoder_cache", "enabled", "False")
tf.get_logger().setLevel("ERROR")
warnings.filterwarnings("ignore", "TensorFlow cannot use the GPU")
