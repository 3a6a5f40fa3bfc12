"""A Keras model with named inputs and outputs, whose reports always name the output.

It has the public interface of Keras models. In addition, outputs without a loss need no
target, and data can contain the number of steps.
"""

import contextlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from nengo_dl.errors import InvalidValue, argument
from nengo_dl.keras_model.compiled_metrics import without_compiled
from nengo_dl.keras_model.compiling import compiling
from nengo_dl.keras_model.inference import (
    trace_for_all_lengths,
    without_gradients,
)
from nengo_dl.keras_model.loss_kinds import LossKind
from nengo_dl.keras_model.objectives import Objectives, build_objectives
from nengo_dl.keras_model.replicas import for_replicas
from nengo_dl.keras_model.steps_to_run import Length, steps_to_run
from nengo_dl.keys import Keys, check_present

N_STEPS = "n_steps"


def keras_inputs(
    shapes: Mapping[str, tuple[int | None, ...]], dtype: str
) -> dict[str, keras.KerasTensor]:
    """Make the inputs of a model, by name.

    Shapes have the minibatch axis first, and None for sizes that vary. Names of layers
    have ``|`` in place of ``/``, which Keras does not allow.
    """
    return {
        name: keras.Input(
            batch_shape=shape,
            dtype=dtype,
            name=name.replace("/", "|"),
            tensor=keras.KerasTensor(shape, dtype=dtype, name=name),
        )
        for name, shape in shapes.items()
    }


class ProbeModel(keras.Model):
    """A model whose losses and metrics are reported by output, even if it has only one.

    The keys of logs (in ``History``, callbacks and ``evaluate(return_dict=True)``) are
    ``loss``, ``<output>_loss`` for every output with a loss, and ``<output>_<metric>``,
    in this order. (Keras sorts them for callbacks.)

    Parameters
    ----------
    inputs, outputs : dict of str to `keras.KerasTensor`
        Inputs (see `keras_inputs`), and the outputs that are computed from them.
    time_input : str, optional
        Key of data, if the model has no such input, that says how many steps to run: an
        array of shape (minibatch_size, n_steps, 0). Inputs may have a single step then.
    **kwargs
        See `keras.Model`.

    Notes
    -----
    Data can have any form that Keras takes. Inputs and targets are dicts by name, or
    tuples in the order of the inputs and outputs (a single one needs no tuple). Inputs
    can be followed by the number of steps (in a dict, with the key "n_steps"), of shape
    (minibatch_size, 1). It is only used for missing inputs of width 0, which get this
    number of steps. Targets can be missing for outputs without losses and metrics.
    Sample weights are one array for all outputs, or have the forms of targets. Missing
    ones are 1.
    """

    jit_compile: Any  # a property of Keras'

    def __init__(
        self,
        inputs: Mapping[str, keras.KerasTensor],
        outputs: Mapping[str, keras.KerasTensor],
        name: str | None = None,  # Keras looks for just these arguments
        *,
        time_input: str | None = None,
        **kwargs: Any,
    ):
        super().__init__(inputs=inputs, outputs=outputs, name=name, **kwargs)
        self._time_input = time_input
        self._objectives = Objectives()
        self._traced: Any = None  # the function for predictions, once it was traced

    @property
    def targets(self) -> tuple[str, ...]:
        """Names of the outputs that need targets: those with a loss or a metric."""
        return self._objectives.outputs

    @property
    def loss_kinds(self) -> dict[str, LossKind]:
        """Kinds of the losses that are known, by name of the output."""
        return self._objectives.kinds

    @property
    def metrics(self) -> list[keras.Metric]:
        """All values to report: the total loss, losses and metrics of outputs."""
        metrics = without_compiled(super().metrics, self)
        if not self.compiled:
            return metrics
        return [metrics[0], *self._objectives.trackers, *metrics[1:]]

    def compile(
        self,
        optimizer: Any = "rmsprop",
        loss: Any = None,
        loss_weights: Any = None,
        metrics: Any = None,
        weighted_metrics: Any = None,
        **kwargs: Any,
    ) -> None:
        """Set the optimizer, the losses and the metrics.

        Losses, weights and metrics are one for every output, a list in the order of the
        outputs, or a dict by name of the output, see `.build_objectives`. All other
        arguments are those of ``keras.Model.compile``.
        """
        objectives = build_objectives(
            tuple(self.output), loss, loss_weights, metrics, weighted_metrics
        )
        with argument("optimizer"):
            found = _find_optimizer(optimizer)
        super().compile(found, **kwargs)
        self._objectives = objectives
        self.loss = loss

    def fit(self, *args: Any, **kwargs: Any) -> Any:
        """Train the model, see ``keras.Model.fit``."""
        history = super().fit(*args, **kwargs)
        history.history = self._in_order(history.history)
        return history

    def evaluate(self, *args: Any, **kwargs: Any) -> Any:
        """Evaluate the model, see ``keras.Model.evaluate``."""
        result = super().evaluate(*args, **kwargs)
        return self._in_order(result) if isinstance(result, dict) else result

    @contextlib.contextmanager
    def metrics_kept(self) -> Iterator[None]:
        """Restore metrics at the end of the block.

        A callback of ``fit`` can thus evaluate the model without changing the report of
        the epoch.
        """
        variables = [v for metric in self.metrics for v in metric.variables]
        values = [variable.numpy() for variable in variables]
        try:
            yield
        finally:
            for variable, value in zip(variables, values, strict=True):
                variable.assign(value)

    def make_train_function(self, force: bool = False) -> Any:
        """Compile `train_step`, see ``keras.Model.make_train_function``."""
        # what is compiled with XLA cannot make the variables of the optimizer
        if self.compiled and not self.optimizer.built:
            with self.distribute_strategy.scope():
                self.optimizer.build(self.trainable_variables)
        return super().make_train_function(force)

    def make_test_function(self, force: bool = False) -> Any:
        """Compile `test_step`, see ``keras.Model.make_test_function``."""
        # the loops over time in it are compiled, see `.InferenceLoops`
        with compiling(self, False):
            return super().make_test_function(force)

    def make_predict_function(self, force: bool = False) -> Any:
        """Compile `predict_step`, see ``keras.Model.make_predict_function``."""
        with compiling(self, False):
            return super().make_predict_function(force)

    def trace_predict(self, x: Any) -> None:
        """Trace the outputs for minibatches of any number of steps, if it pays.

        That is so if the loop over time is compiled, see `.InferenceLoops`.

        Parameters
        ----------
        x : structure of array or `tf.TensorSpec`
            Inputs of a minibatch. Those with a single step always have one.
        """
        self.make_predict_function()
        if self._traced is self.predict_function:
            return
        self._traced = self.predict_function
        if self.jit_compile and all(t.shape[1] is None for t in self.input.values()):
            trace_for_all_lengths(self._traced, [(x,)])

    def predict_on_batch(self, x: Any) -> dict[str, np.ndarray]:
        """Return outputs for a minibatch, see ``keras.Model.predict_on_batch``."""
        self.trace_predict(x)
        return super().predict_on_batch(x)

    def train_step(self, data: Any) -> dict[str, tf.Tensor]:
        """Train on one minibatch; return the report."""
        standard, n_steps = self._standard(data)
        with _after(data), steps_to_run(n_steps):
            return for_replicas(super().train_step(standard))

    def test_step(self, data: Any) -> dict[str, tf.Tensor]:
        """Evaluate one minibatch; return the report."""
        standard, n_steps = self._standard(data)
        with _after(data), steps_to_run(n_steps), self._inference():
            return for_replicas(super().test_step(standard))

    def predict_step(self, data: Any) -> dict[str, tf.Tensor]:
        """Return the outputs for one minibatch."""
        standard, n_steps = self._standard(data)
        with _after(data), steps_to_run(n_steps), self._inference():
            return super().predict_step(standard)

    def compute_loss(
        self,
        x: Any = None,
        y: Any = None,
        y_pred: Any = None,
        sample_weight: Any = None,
        training: bool = True,
    ) -> tf.Tensor:
        """Return the sum of the weighted losses of all outputs, and of the layers."""
        losses = self._objectives.losses
        total = sum(
            self._objectives.loss_terms(
                self._targets_by_name(y, [term.output for term in losses]),
                y_pred,
                self._weights_by_name(sample_weight),
            )
        )
        if self.losses or not losses:
            total += super().compute_loss(x=x, y_pred=y_pred, training=training)
        return total

    def compute_metrics(
        self, x: Any, y: Any, y_pred: Any, sample_weight: Any = None
    ) -> dict[str, tf.Tensor]:
        """Update all metrics; return the report."""
        metrics = self._objectives.metrics
        self._objectives.update_metrics(
            self._targets_by_name(y, [term.output for term in metrics]),
            y_pred,
            self._weights_by_name(sample_weight),
        )
        return self.get_metrics_result()

    def _inference(self) -> contextlib.AbstractContextManager[None]:
        return without_gradients() if self.jit_compile else contextlib.nullcontext()

    def _in_order(self, logs: dict[str, Any]) -> dict[str, Any]:
        """Return logs in the order of `metrics`, instead of the alphabetical order."""
        results = {metric.name: metric.result() for metric in self.metrics}
        keys = [
            key
            for name, result in results.items()
            for key in (result if isinstance(result, dict) else [name])
        ]
        keys = [*keys, *(f"val_{key}" for key in keys), *logs]
        return {key: logs[key] for key in dict.fromkeys(keys) if key in logs}

    def _standard(self, data: Any) -> tuple[tuple, Length | None]:
        """Return inputs by name, with targets and sample weights as they are.

        And the number of steps to run, if it is not that of the inputs.
        """
        x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(data)
        n_steps = None
        if isinstance(x, Mapping) and self._time_input in set(x) - set(self.input):
            x = dict(x)
            time = x.pop(self._time_input)
            n_steps = keras.ops.shape(time)[1]
        return (self._inputs_by_name(x), y, sample_weight), n_steps

    def _inputs_by_name(self, x: Any) -> dict[str, Any]:
        """Drop the number of steps, after using it for missing inputs of width 0."""
        names = tuple(self.input)
        n_steps = None
        if isinstance(x, list | tuple) and x and len(x[-1].shape) == 2:
            *x, n_steps = x
        if isinstance(x, Mapping) and N_STEPS not in names:
            x = dict(x)
            n_steps = x.pop(N_STEPS, None)
        with argument("x"):
            given = Keys.of_names(names).in_order(x)
        if n_steps is not None:
            shape = (keras.ops.shape(n_steps)[0], n_steps[0, 0], 0)
            for name, tensor in self.input.items():
                if name not in given and tensor.shape[-1] == 0:
                    given[name] = keras.ops.zeros(shape, tensor.dtype)
        with argument("x"):
            check_present(given, names)
        return given

    def _targets_by_name(self, y: Any, needed: Iterable[str]) -> dict[str, Any]:
        with argument("y"):
            given = Keys.of_names(self.output).in_order(y)
            check_present(given, needed)
        return given

    def _weights_by_name(self, sample_weight: Any) -> dict[str, Any]:
        outputs = Keys.of_names(self.output)
        with argument("sample_weight"):
            if isinstance(sample_weight, Mapping | list | tuple):
                weights = outputs.in_order(sample_weight)
            else:
                weights = outputs.for_each(sample_weight)
        return {name: _for_steps(weight) for name, weight in weights.items()}


def _find_optimizer(identifier: Any) -> Any:
    try:
        return keras.optimizers.get(identifier)
    except (ValueError, TypeError) as error:
        raise InvalidValue(
            "expected a name that Keras knows, or a keras.optimizers.Optimizer (got "
            f"{identifier!r}: {error}). Look for a typing error; a learning rate goes "
            "into the optimizer, e.g. keras.optimizers.Adam(1e-3)."
        ) from error


def _after(data: Any) -> contextlib.AbstractContextManager[None]:
    """Let nothing run before there is data.

    At the end of a generator, Keras begins a step before it knows that there is no
    data. Without this, variables that do not depend on data (counts, the time) would
    change.
    """
    flat = tf.nest.flatten(data, expand_composites=True)
    return tf.control_dependencies([x for x in flat if x is not None])


def _for_steps(weight: Any) -> Any:
    """Add a second axis to weights per item; Keras would use them for time steps."""
    return keras.ops.expand_dims(weight, -1) if len(weight.shape) == 1 else weight
