"""Training of a Keras model in several processes.

With TensorFlow, Keras can fit a model over several processes on two conditions. The
model must not belong to a strategy until its methods are called. The values that its
steps report must have an axis for the replicas.
"""

import contextlib
from collections.abc import Iterator, Mapping

import tensorflow as tf


def spans_processes() -> bool:
    """Tell whether the current strategy has replicas in other processes, too."""
    if not tf.distribute.has_strategy():
        return False
    strategy = tf.distribute.get_strategy()
    return strategy.num_replicas_in_sync > len(strategy.extended.worker_devices)


@contextlib.contextmanager
def unbound() -> Iterator[None]:
    """Make Keras models that do not belong to a strategy over several processes.

    Their variables have to exist before. Their methods must be called within the scope
    of the strategy.
    """
    # a strategy's scope is that of one graph, and models make no operations
    graph = tf.Graph().as_default() if spans_processes() else contextlib.nullcontext()
    with graph:
        yield


def for_replicas(logs: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
    """Add a first axis, over which Keras averages in several processes."""
    if not spans_processes():
        return dict(logs)
    return {name: tf.expand_dims(value, 0) for name, value in logs.items()}
