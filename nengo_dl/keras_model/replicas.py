"""What Keras leaves out where a model is trained by several processes at once.

On TensorFlow, Keras fits a model that belongs to a strategy over several processes only
if the model learns of the strategy when it is called, and if what its steps report has
an axis for the replicas.
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
    """Let a Keras model not belong to the current strategy, if that spans processes.

    Its variables have to be there before. Whoever calls its methods enters the scope of
    the strategy.
    """
    # a strategy's scope is that of one graph, and models make no operations
    graph = tf.Graph().as_default() if spans_processes() else contextlib.nullcontext()
    with graph:
        yield


def for_replicas(logs: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
    """Add what Keras takes the mean over in several processes: a first axis."""
    if not spans_processes():
        return dict(logs)
    return {name: tf.expand_dims(value, 0) for name, value in logs.items()}
