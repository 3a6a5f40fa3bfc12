"""Training that goes on where a process has ended, as if nothing had happened.

The order of the data depends on a seed and the number of the epoch alone, and all else
that training changes is in a file, which is written after each epoch.
"""

import json
import os
from collections.abc import Iterable, Mapping
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from nengo.exceptions import ValidationError

from nengo_dl.arguments import check_seed, whole
from nengo_dl.errors import argument, arguments_of
from nengo_dl.keras_model.layer import EngineLayer
from nengo_dl.simulator import Simulator, npz
from nengo_dl.simulator.npz_members import ArraySpec

HISTORY = "history"


def resume_fit(
    model: keras.Model | Simulator,
    x: Any,
    y: Any,
    path: str | os.PathLike,
    *,
    epochs: int,
    batch_size: int = 32,
    seed: int = 0,
    callbacks: Iterable[keras.callbacks.Callback] = (),
    **kwargs: Any,
) -> keras.callbacks.History:
    """Train a model, and go on from the last epoch if that was begun before.

    After each epoch, all that training has changed is written to a file: weights, the
    optimizer, random numbers, the history. Called again, also in another process, with
    the same arguments and an equal model, it goes on after the last epoch in the file.
    The result is that of training without an interruption.

    Parameters
    ----------
    model : keras.Model or `Simulator`
        Compiled. A Keras model may contain networks.
    x : array_like or structure of array_like
        Inputs, with the items along the first axis; of a simulator, of shape (n_items,
        n_steps, size), also in a dict by Node or name.
    y : array_like or structure of array_like
        Targets, with the items along the first axis; of a simulator, also in a dict by
        Probe or name.
    path : str or PathLike
        The file is ``path + ".npz"``. Remove it to begin again.
    epochs : int
        Number of epochs, those in the file included.
    batch_size : int
        Number of items in a minibatch. A simulator has its own.
    seed : int
        Seed of the order of the items, which is another in each epoch.
    callbacks : iterable of keras.callbacks.Callback
        See ``keras.Model.fit``. They are told the number of each epoch. What they
        remember themselves, such as the patience of ``EarlyStopping``, begins anew.
    **kwargs
        Further arguments of ``fit``, such as ``validation_data``.

    Returns
    -------
    history : keras.callbacks.History
        With the values of all epochs, those in the file included.

    Raises
    ------
    ValidationError
        If an argument is invalid.
    SimulationError
        If the file is damaged, or from another model. Nothing has been changed then.

    Examples
    --------
    .. testcode::

       import os, tempfile

       x, y = np.random.RandomState(0).normal(size=(2, 100, 3))


       def train(path, epochs):
           keras.utils.set_random_seed(0)
           model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(3)])
           model.compile("adam", "mse")
           return nengo_dl.resume_fit(model, x, y, path, epochs=epochs, verbose=0)


       with tempfile.TemporaryDirectory() as folder:
           at_once = train(os.path.join(folder, "first"), epochs=4)
           train(os.path.join(folder, "second"), epochs=2)
           resumed = train(os.path.join(folder, "second"), epochs=4)
       print(resumed.history == at_once.history)

    .. testoutput::

       True
    """
    is_simulator = isinstance(model, Simulator)
    with arguments_of(resume_fit):
        with argument("epochs"):
            epochs = whole(epochs, 1)
        with argument("batch_size"):
            size = model.minibatch_size if is_simulator else whole(batch_size, 1)
        order = _Order(len(_leaves(x, y)[0]), size, check_seed(seed), is_simulator)
    progress = _Progress(model.keras_model if is_simulator else model)
    begun = progress.begin(path)
    if begun < epochs:
        model.fit(
            order.minibatches((x, y), begun, epochs),
            initial_epoch=begun,
            epochs=epochs,
            steps_per_epoch=order.n_batches,
            shuffle=False,
            callbacks=[*callbacks, progress],
            **kwargs,
        )
    return progress.history


class _Order:
    """The items of each minibatch, as a function of the seed and the epoch."""

    def __init__(self, n_items: int, size: int, seed: int, only_whole: bool):
        self._n_items, self._size, self._seed = n_items, size, seed
        self._are_whole = only_whole or n_items % size == 0
        self.n_batches = n_items // size if only_whole else -(-n_items // size)
        if self.n_batches == 0:
            raise ValidationError(
                f"expected at least {size} items, as a minibatch has (got {n_items}). "
                "Make the simulator with a smaller minibatch_size.",
                attr="x",
            )

    def minibatches(self, data: Any, first: int, last: int) -> tf.data.Dataset:
        """Return the minibatches of some epochs, one after the other."""
        tensors = keras.tree.map_structure(_tensor, data)

        def minibatch(number: tf.Tensor) -> Any:
            items = self._items(number // self.n_batches, number % self.n_batches)
            return keras.tree.map_structure(lambda x: tf.gather(x, items), tensors)

        numbers = tf.data.Dataset.range(first * self.n_batches, last * self.n_batches)
        return numbers.map(minibatch).prefetch(1)

    def _items(self, epoch: tf.Tensor, number: tf.Tensor) -> tf.Tensor:
        positions = number * self._size + tf.range(self._size, dtype=tf.int64)
        if not self._are_whole:
            positions = positions[positions < self._n_items]
        seed = tf.stack([tf.constant(self._seed, tf.int64), epoch])
        # a permutation that is computed for each number by itself
        return tf.random.experimental.index_shuffle(positions, seed, self._n_items - 1)


class _Progress(keras.callbacks.Callback):
    """Writes all that training changes to a file, after each epoch."""

    def __init__(self, trained: keras.Model):
        super().__init__()
        self._trained = trained
        self._path: Any = None
        self.history = keras.callbacks.History()
        self.history.history = {}
        self.history.epoch = []

    def begin(self, path: str | os.PathLike) -> int:
        """Read a file, if there is one; return how many epochs it has."""
        self._path = path
        optimizer = self._trained.optimizer
        if not optimizer.built:
            optimizer.build(self._trained.trainable_variables)
        if not os.path.exists(f"{os.fspath(path)}.npz"):
            return 0
        variables = self._variables()
        expected = {
            name: ArraySpec(tuple(v.shape), np.asarray(v).dtype.name)
            for name, v in variables.items()
        }
        expected[HISTORY] = ArraySpec((1, 0), "uint8", free=True)
        found = npz.read(path, expected)
        for name, variable in variables.items():
            variable.assign(found[name])
        told = json.loads(found[HISTORY].tobytes())
        self.history.history, self.history.epoch = told["history"], told["epoch"]
        return len(self.history.epoch)

    def on_epoch_end(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Write the file."""
        for key, value in (logs or {}).items():
            self.history.history.setdefault(key, []).append(float(value))
        self.history.epoch.append(epoch)
        told = {"history": self.history.history, "epoch": self.history.epoch}
        arrays = {name: np.asarray(v) for name, v in self._variables().items()}
        text = np.frombuffer(json.dumps(told).encode(), np.uint8)
        npz.write(self._path, arrays | {HISTORY: text[None]})

    def _variables(self) -> dict[str, Any]:
        """Return all variables, by names that do not depend on those of layers."""
        model = self._trained
        reported = {id(v) for metric in model.metrics for v in metric.variables}
        kinds = {
            "variables": [v for v in model.variables if id(v) not in reported],
            "optimizer": model.optimizer.variables,
            "draws": [x.draws for x in model.layers if isinstance(x, EngineLayer)],
        }
        return {
            f"{kind}/{i}": v for kind, vs in kinds.items() for i, v in enumerate(vs)
        }


def _leaves(x: Any, y: Any) -> list[Any]:
    """Return the arrays of data, or raise ValidationError if lengths differ."""
    leaves = keras.tree.flatten((x, y))
    lengths = {np.shape(leaf)[:1] for leaf in leaves}
    if len(lengths) != 1 or () in lengths:
        raise ValidationError(
            f"expected arrays with as many items along the first axis (got "
            f"{sorted(lengths)}). Pass arrays, not a dataset.",
            attr="x",
        )
    return leaves


def _tensor(values: Any) -> tf.Tensor:
    array = np.asarray(values)
    is_float = np.issubdtype(array.dtype, np.floating)
    return tf.convert_to_tensor(
        array.astype(keras.config.floatx()) if is_float else array
    )
