"""Callbacks for the Keras-like methods of a `Simulator`."""

from collections.abc import Iterable
from importlib.util import find_spec
from os import PathLike
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from nengo import Connection, Ensemble
from nengo.ensemble import Neurons
from nengo.exceptions import ValidationError

from nengo_dl.simulator import Simulator

__all__ = [
    "IsolateState",
    "NengoSummaries",
    "TensorBoard",
]

# What is written of a kind of object, and how the kind is called in tags.
_KINDS = (
    (Ensemble, ("Ensemble", "encoders")),
    (Neurons, ("Ensemble.neurons", "bias")),
    (Connection, ("Connection", "weights")),
)


class NengoSummaries(keras.callbacks.Callback):
    """Write histograms of the parameters of Nengo objects, after every epoch.

    TensorBoard shows them next to what `TensorBoard` writes. The tags are
    ``Ensemble_<label>_encoders``, ``Ensemble.neurons_<label>_bias`` and
    ``Connection_<label>_weights``; what would get a tag for the second time gets ``_1``
    appended, and so on.

    Parameters
    ----------
    log_dir : str or path
        Directory to write to.
    sim : `Simulator`
        Whose ``fit`` it is passed to.
    objects : iterable of Ensemble, Neurons or Connection
        What to write: encoders, of shape (n_neurons, dimensions), biases, of shape
        (n_neurons,), or weights.

    Raises
    ------
    ValidationError
        If there is another object, or one without these parameters.
    ImportError
        If TensorBoard is not installed.

    Examples
    --------
    .. testcode::

       import tempfile

       with nengo.Network(seed=0) as net:
           stimulus = nengo.Node([1.0])
           ens = nengo.Ensemble(20, 1, neuron_type=nengo.LIFRate(), label="ens")
           nengo.Connection(stimulus, ens, synapse=None)
           probe = nengo.Probe(ens)

       log_dir = tempfile.mkdtemp()
       with nengo_dl.Simulator(net, progress_bar=False) as sim:
           summaries = nengo_dl.callbacks.NengoSummaries(log_dir, sim, [ens.neurons])
           sim.compile("sgd", loss="mse")
           sim.fit(n_steps=1, y=np.ones((1, 1, 1)), callbacks=[summaries], verbose=0)
       print(summaries.tags)

    .. testoutput::

       ('Ensemble.neurons_ens_bias',)
    """

    def __init__(
        self,
        log_dir: str | PathLike,
        sim: Simulator,
        objects: Iterable[Ensemble | Neurons | Connection],
    ):
        super().__init__()
        _check_simulator(sim, type(self))
        if find_spec("tensorboard") is None:
            raise ImportError(
                "NengoSummaries: needs TensorBoard, which TensorFlow writes histograms "
                "with (it is not installed). Call pip install tensorboard."
            )
        self._log_dir = str(log_dir)
        self._sim = sim
        self._sources: dict[str, tuple[Any, str]] = {}
        for obj in objects:
            kind, attr = _parameter(obj, sim.data)
            owner = obj.ensemble if isinstance(obj, Neurons) else obj
            stem = tag = f"{kind}_{owner.label}_{attr}"
            count = 0
            while tag in self._sources:
                count += 1
                tag = f"{stem}_{count}"
            self._sources[tag] = (obj, attr)
        self._writer: Any = None

    @property
    def tags(self) -> tuple[str, ...]:
        """(tuple of str) The names of the histograms."""
        return tuple(self._sources)

    def on_train_begin(self, logs=None):
        """Open a file of events."""
        self._writer = tf.summary.create_file_writer(self._log_dir)

    def on_epoch_end(self, epoch, logs=None):
        """Write the histograms."""
        data = self._sim.data
        with self._writer.as_default(step=epoch):
            for tag, (obj, attr) in self._sources.items():
                tf.summary.histogram(tag, _elements(getattr(data[obj], attr)))
        self._writer.flush()

    def on_train_end(self, logs=None):
        """Close the file of events."""
        self._writer.close()


class TensorBoard(keras.callbacks.TensorBoard):
    """`keras.callbacks.TensorBoard` that profiles ``predict``, too.

    ``profile_batch`` counts the minibatches of ``fit`` or those of ``predict``.
    Parameters are those of the class in Keras.

    Examples
    --------
    .. testcode::

       import tempfile

       with nengo.Network() as net:
           nengo.Probe(nengo.Node([1.0]))

       log_dir = tempfile.mkdtemp()
       profiler = nengo_dl.callbacks.TensorBoard(log_dir, profile_batch=2)
       with nengo_dl.Simulator(net, minibatch_size=1, progress_bar=False) as sim:
           sim.predict(np.ones((3, 5, 1)), callbacks=[profiler], verbose=0)
    """

    def on_predict_begin(self, logs=None):
        """Start as in training."""
        self.on_train_begin(logs)

    def on_predict_batch_begin(self, batch, logs=None):
        """Start to profile with the chosen minibatch."""
        self.on_train_batch_begin(batch, logs)

    def on_predict_batch_end(self, batch, logs=None):
        """Stop to profile; the outputs in `logs` are nothing to plot."""
        self.on_train_batch_end(batch)

    def on_predict_end(self, logs=None):
        """Close all files."""
        self.on_train_end(logs)


class IsolateState(keras.callbacks.Callback):
    """Let every minibatch start from the same state of the simulation.

    After each minibatch of training, evaluation or prediction, the state goes back to
    what it was before the call; what learning rules have changed stays. This is what
    ``stateful=False`` does by itself; the callback does it with ``stateful=True``, too.

    Parameters
    ----------
    sim : `Simulator`
        Whose method it is passed to.

    Examples
    --------
    .. testcode::

       with nengo.Network() as net:
           source, target = nengo.Node([1.0]), nengo.Node(size_in=1)
           nengo.Connection(source, target, synapse=0.01)
           probe = nengo.Probe(target)

       with nengo_dl.Simulator(net, progress_bar=False) as sim:
           isolate = nengo_dl.callbacks.IsolateState(sim)
           sim.predict(n_steps=5, stateful=True, callbacks=[isolate], verbose=0)
           print(sim.n_steps)

    .. testoutput::

       0
    """

    def __init__(self, sim: Simulator):
        super().__init__()
        _check_simulator(sim, type(self))
        self._sim = sim

    def on_train_begin(self, logs=None):
        """Keep the state as it is from here on."""
        self._isolate()

    def on_test_begin(self, logs=None):
        """Keep the state as it is from here on."""
        self._isolate()

    def on_predict_begin(self, logs=None):
        """Keep the state as it is from here on."""
        self._isolate()

    def _isolate(self):
        # until the end of the call: each call of a method of the simulator chooses anew
        self._sim.tensor_graph.keep.assign(False)


def _check_simulator(sim, cls):
    if not isinstance(sim, Simulator):
        raise ValidationError(
            f"must be the Simulator whose method it is passed to (got {sim!r} of type "
            f"{type(sim).__name__}). Make it inside of the `with` block.",
            attr="sim",
            obj=cls,
        )


def _parameter(obj, data):
    """Return how a kind of object is called in tags, and what is written of it."""
    kind, attr = next(
        (found for cls, found in _KINDS if isinstance(obj, cls)), (None, None)
    )
    if attr and getattr(data[obj], attr) is not None:
        return kind, attr
    got = f"{obj}, which has no {attr}" if attr else f"{obj!r}"
    raise ValidationError(
        "expected ensembles with encoders, their neurons, or connections with weights "
        f"(got {got}). Leave it out.",
        attr="objects",
        obj=NengoSummaries,
    )


def _elements(value):
    """Return the elements of an array; of a sparse matrix, those that it stores."""
    return value if isinstance(value, np.ndarray) else value.data
