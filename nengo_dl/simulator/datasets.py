"""Datasets of TensorFlow and Keras, and generators.

They give their elements while Keras runs. On the way they get names for nodes and
probes, and minibatches of the simulator's size; the first one is checked like arrays.
"""

import contextlib
import warnings
from collections.abc import Iterable, Iterator, Mapping
from numbers import Number
from typing import Any, TypeAlias, TypeGuard

import keras
import numpy as np
import tensorflow as tf
from nengo.exceptions import SimulationError, ValidationError

from nengo_dl.errors import argument
from nengo_dl.foreign import is_array
from nengo_dl.keras_model.layer_inputs import TIME
from nengo_dl.keras_model.minibatches import inspected
from nengo_dl.keras_model.probe_model import N_STEPS
from nengo_dl.keys import Keys
from nengo_dl.simulator.array_data import DataSpec, check_data
from nengo_dl.simulator.real_numbers import as_numbers
from nengo_dl.simulator.rebatch import rebatched
from nengo_dl.simulator.stacklevel import user_level

Dataset: TypeAlias = tf.data.Dataset | keras.utils.PyDataset | Iterable[Any]


def is_dataset(data: Any) -> TypeGuard[Dataset]:
    """Tell whether data gives its elements one by one.

    Not so None, dicts, lists, tuples and arrays, nor strings and numbers, which are no
    data at all.
    """
    others = (Mapping, list, tuple, str, bytes, Number)
    return not (data is None or isinstance(data, others) or is_array(data))


def check_alone(data: Dataset, method: str, **others: Any) -> None:
    """Raise if there are arguments that a dataset leaves no place for.

    Those that are None count as missing.
    """
    kind = type(data).__name__
    for name, value in others.items():
        if value is None:
            continue
        if name == N_STEPS:
            raise SimulationError(
                f"{method}: expected no n_steps together with a {kind} (got "
                f"n_steps={value}). The number of steps comes from its elements."
            )
        advice = "Put targets and weights into its elements: (x, y, sample_weight)."
        if name == "validation_split":
            advice = "Pass validation_data, e.g. from dataset.take and dataset.skip."
        raise ValidationError(
            f"expected no {name} together with a {kind} (got one). {advice}",
            attr=method,
        )


class DatasetAdapter:
    """Gives the datasets of one call of a Keras method the form that Keras takes.

    Parameters
    ----------
    spec : `DataSpec`
        Says what the data has to fit.
    """

    def __init__(self, spec: DataSpec):
        self._spec = spec
        self._error: BaseException | None = None
        self._n_dropped = 0
        self._is_finite = False

    def in_minibatches(self, data: Dataset) -> Dataset:
        """Return a dataset with minibatches of the simulator's size.

        Iterables of an unknown type stay as they are.

        Raises
        ------
        ValidationError
            If the first minibatch does not fit, and can be looked at already; if it is
            no dataset at all.
        """
        size = self._spec.minibatch_size
        if isinstance(data, tf.data.Dataset):
            # Keras warns of what ends before it was told, but here nothing is missing
            self._is_finite = data.cardinality() >= 0
            return inspected(data, size, self._is_single(data), self._look)
        if isinstance(data, keras.utils.PyDataset):
            return _NamedDataset(data, self)
        if isinstance(data, Iterator):
            return self._generated(data, size)
        if isinstance(data, Iterable):
            return data
        raise ValidationError(
            "must be None, a dict, a list, an array, a dataset or a generator (got "
            f"{data!r} of type {type(data).__name__}). Pass a dict from input nodes, "
            "or their names, to arrays.",
            attr="Data",
        )

    @contextlib.contextmanager
    def errors(self) -> Iterator[None]:
        """Raise errors of the data as they are, not as TensorFlow reports them.

        Warns
        -----
        UserWarning
            At the end, if there were items left that filled no minibatch.
        """
        try:
            with warnings.catch_warnings():
                if self._is_finite:
                    warnings.filterwarnings("ignore", "Your input ran out of data")
                yield
        except (tf.errors.OpError, RuntimeError):
            if self._error is None:
                raise
            raise self._error from None
        if self._n_dropped:
            warnings.warn(
                "Data: expected a multiple of minibatch_size="
                f"{self._spec.minibatch_size} items, got a dataset with "
                f"{self._n_dropped} more. These last ones are not used.",
                stacklevel=user_level(),
            )

    def named(self, element: Any) -> tuple:
        """Return inputs, targets and weights, with names in place of objects."""
        x, y, weight = keras.utils.unpack_x_y_sample_weight(_as_tuple(element))
        nodes = self._spec.nodes
        if isinstance(x, Mapping):
            extra = {k for k in (N_STEPS, TIME) if k not in nodes.values()}
            kept = {k: v for k, v in x.items() if isinstance(k, str) and k in extra}
            x = {k: v for k, v in x.items() if k not in kept}
            with argument("Data"):
                x = {**Keys(nodes, "input node").with_names(x), **kept}
        probes = Keys(self._spec.probes, "probe")
        with argument("Targets"):
            y = probes.with_names(y)
        with argument("sample_weight"):
            weight = probes.with_names(weight)
        return x, y, weight

    def check(self, element: Any) -> None:
        """Check a minibatch like arrays."""
        x, y, weight = self.named(element)
        n_steps = None
        if not self._spec.nodes:
            x, n_steps = _without_time(x)
        check_data(self._spec, x, y, weight, n_steps, on_batch=True)

    def drop(self, n_items: int) -> None:
        """Leave out items, and warn of it later."""
        self._n_dropped = n_items

    def n_items(self, element: Any) -> int:
        """Return how many items an element has."""
        return len(np.asarray(tf.nest.flatten(self.named(element)[0])[0]))

    def _look(self, is_first: bool, element: Any, n_items: int) -> bool:
        """Look at a minibatch on its way; return whether it is to be used."""
        try:
            if is_first:
                self.check(element)
            elif n_items < self._spec.minibatch_size:
                self.drop(n_items)
                return False
        except BaseException as error:
            self._error = error
            raise
        return True

    def _is_single(self, dataset: tf.data.Dataset) -> bool:
        """Tell whether the elements of a dataset are single items."""
        x = keras.utils.unpack_x_y_sample_weight(dataset.element_spec)[0]
        if isinstance(x, Mapping):
            ranks = {name: spec.shape.rank for name, spec in x.items()}
            n_steps = ranks.pop(N_STEPS, None) if self._has_n_steps else None
            return 2 in ranks.values() or (not ranks and n_steps == 1)
        return tf.nest.flatten(x)[0].shape.rank == 2

    @property
    def _has_n_steps(self) -> bool:
        return N_STEPS not in self._spec.nodes.values()

    def _generated(self, iterator: Iterator, size: int) -> Iterator[tuple]:
        """Yield what Keras requires of a generator: tuples, all of one size."""
        try:
            is_first = True
            for element in rebatched(map(self._numbers, iterator), size, self.drop):
                if is_first:
                    self.check(element)
                is_first = False
                yield element
        except Exception as error:
            self._error = error
            raise

    def _numbers(self, element: Any) -> tuple:
        """Return an element as a tuple with arrays of whole minibatches, or of one."""
        parts = self.named(element)
        while parts[-1] is None and len(parts) > 1:
            parts = parts[:-1]
        with argument("Data"):
            arrays = tf.nest.map_structure(as_numbers, parts)
        x = arrays[0]
        if isinstance(x, Mapping):
            names = [name for name in x if name != N_STEPS or not self._has_n_steps]
            leaf = x[names[0]] if names else x[N_STEPS][..., None]
        else:
            leaf = tf.nest.flatten(x)[0]
        if leaf.ndim == 2:
            arrays = tf.nest.map_structure(lambda x: x[None], arrays)
        return arrays


class _NamedDataset(keras.utils.PyDataset):
    """A PyDataset whose elements have names, without a last one that is too small."""

    def __init__(self, dataset: keras.utils.PyDataset, datasets: DatasetAdapter):
        super().__init__(
            workers=dataset.workers,
            use_multiprocessing=dataset.use_multiprocessing,
            max_queue_size=dataset.max_queue_size,
        )
        self._dataset, self._datasets = dataset, datasets
        self._n_batches = n_batches = dataset.num_batches
        first = dataset[0]
        datasets.check(first)
        if n_batches is not None and n_batches > 1:
            size = datasets.n_items(first)
            n_last = datasets.n_items(dataset[n_batches - 1])
            if n_last < size:
                datasets.drop(n_last)
                self._n_batches -= 1

    @property
    def num_batches(self) -> int | None:
        """(int or None) Number of minibatches."""
        return self._n_batches

    def __getitem__(self, index: int) -> tuple:
        parts = self._datasets.named(self._dataset[index])
        return tuple(part for part in parts if part is not None)

    def on_epoch_begin(self) -> None:
        """Tell the dataset."""
        begin = getattr(self._dataset, "on_epoch_begin", None)  # not in all of Keras 3
        if begin is not None:
            begin()

    def on_epoch_end(self) -> None:
        """Tell the dataset."""
        self._dataset.on_epoch_end()


def _as_tuple(element: Any) -> tuple:
    return tuple(element) if isinstance(element, list | tuple) else (element,)


def _without_time(x: Any) -> tuple[Any, int | None]:
    """Take the number of steps from the input of a network without input nodes."""
    leaf = x.get(TIME) if isinstance(x, Mapping) else x
    if leaf is None or isinstance(leaf, list | tuple) or np.ndim(leaf) != 3:
        return x, None
    rest = {k: v for k, v in x.items() if k != TIME} if isinstance(x, Mapping) else None
    return rest, np.shape(leaf)[1]
