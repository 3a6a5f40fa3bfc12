"""`WrappedModel`: a network as a Keras model of data without a time axis."""

import contextlib
import functools
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import keras
import nengo
from keras.saving import register_keras_serializable
from nengo.exceptions import ValidationError

from nengo_dl.converter import Converter
from nengo_dl.descriptions import described, restored
from nengo_dl.errors import arguments_of
from nengo_dl.keras_model import minibatches
from nengo_dl.keras_model.compiling import compiling
from nengo_dl.keras_model.nengo_layer import NengoLayer
from nengo_dl.wrapped.inference import FilledUp, are_arrays, size_of_minibatches
from nengo_dl.wrapped.origins import Origins
from nengo_dl.wrapped.saving import described_source, restored_source
from nengo_dl.wrapped.summary import summary
from nengo_dl.wrapped.training_data import for_fit


@dataclass(frozen=True, eq=False)
class Origin:
    """The network of a model, and where it comes from.

    Parameters
    ----------
    source : keras.Model or Network or callable
        The first argument of `wrap`.
    converter : `Converter` or None
        Has made the network, if the source is a Keras model.
    network : Network
        The network.
    layer : `NengoLayer`
        Runs it.
    arguments : dict
        The other arguments of `wrap`.
    """

    source: keras.Model | nengo.Network | Callable[[], nengo.Network]
    converter: Converter | None
    network: nengo.Network
    layer: NengoLayer
    arguments: dict[str, Any]


@register_keras_serializable(package="nengo_dl")
class WrappedModel(keras.Model):
    """A Keras model that runs a network; `nengo_dl.wrap` makes it.

    Its methods are those of `keras.Model`, with data, losses and metrics of the model
    that was wrapped.

    Parameters
    ----------
    inputs, outputs : structure of `keras.KerasTensor`
        See `keras.Model`.
    name : str, optional
        See `keras.Model`.
    origin : `Origin`
        The network, and where it comes from.
    **kwargs
        See `keras.Model`.

    Notes
    -----
    XLA compiles predictions and evaluations for minibatches of one size. Smaller ones,
    such as the last one of an epoch, are filled up. Training it compiles for each size.
    ``compile(jit_compile=False)`` leaves it out.
    """

    jit_compile: Any  # a property of Keras'

    def __init__(
        self,
        inputs: Any,
        outputs: Any,
        name: str | None = None,  # Keras looks for just these arguments
        *,
        origin: Origin,
        **kwargs: Any,
    ):
        super().__init__(inputs=inputs, outputs=outputs, name=name, **kwargs)
        self._origin = origin
        self._uses_xla = origin.layer.supports_jit
        self._filled_up = FilledUp(functools.partial(super().call, training=False))
        self._size: int | None = None  # of the minibatches of predictions
        self._sizes_made: dict[str, int | None] = {}
        self._predicts = threading.local()
        self._origins: Origins | None = None

    @property
    def converter(self) -> Converter | None:
        """(Converter or None) The converter that made the network of a Keras model."""
        return self._origin.converter

    @property
    def network(self) -> nengo.Network:
        """(Network) The network that the model runs."""
        return self._origin.network

    def unwrap(self) -> keras.Model:
        """Give the weights of the network to the Keras model that it comes from.

        Returns
        -------
        model : keras.Model
            The model that was wrapped, with the weights as they are now.

        Raises
        ------
        ValidationError
            If a network was wrapped instead of a Keras model; if trained weights are no
            weights of the model, but computed from them; or if a layer that is called
            several times has got different weights for its calls.
        """
        converter = self._origin.converter
        if converter is None:
            raise ValidationError(
                "expected a Keras model that was wrapped (got a network). Its "
                "parameters are the weights of this model.",
                attr="unwrap",
                obj=self,
            )
        with arguments_of(self):
            if self._origins is None:
                self._origins = Origins(converter)
            self._origins.give_back(self._origin.layer)
        return self._origin.source

    def summary(
        self,
        line_length: int | None = None,
        positions: list[float] | None = None,
        print_fn: Callable[[str], Any] | None = None,
        **kwargs: Any,
    ) -> None:
        """Print a table with a row for each layer, see ``keras.Model.summary``.

        For Keras models that were wrapped, the rows are the layers of the model, with
        the neurons that they have become, and all other arguments have no effect.

        Parameters
        ----------
        line_length : int, optional
            Width of the table.
        positions : list of float, optional
            See ``keras.Model.summary``.
        print_fn : callable, optional
            Called with the text, instead of ``print``.
        **kwargs
            See ``keras.Model.summary``.
        """
        if self.converter is None:
            super().summary(line_length, positions, print_fn, **kwargs)
            return
        how = [f"{key}={self._origin.arguments[key]}" for key in ("n_steps", "reduce")]
        title = f'Model: "{self.name}", converted ({", ".join(how)})'
        (print_fn or print)(summary(self.converter, title, line_length))

    def call(self, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
        """Run the network, see ``keras.Model.call``."""
        if training or not getattr(self._predicts, "active", False):
            return super().call(inputs, training=training, mask=mask)
        with self._predicting(False):
            return self._filled_up(inputs, self._size)

    def compile(
        self,
        optimizer: Any = "rmsprop",
        loss: Any = None,
        loss_weights: Any = None,
        metrics: Any = None,
        weighted_metrics: Any = None,
        run_eagerly: bool = False,
        steps_per_execution: int = 1,
        jit_compile: bool | str = "auto",
        auto_scale_loss: bool = True,
    ) -> None:
        """Set the optimizer, the losses and the metrics, see ``keras.Model.compile``.

        XLA is used by default, see the notes of the class.
        """
        self._uses_xla = bool(jit_compile)
        if jit_compile == "auto":
            self._uses_xla = self._origin.layer.supports_jit
        super().compile(
            optimizer=optimizer,
            loss=loss,
            loss_weights=loss_weights,
            metrics=metrics,
            weighted_metrics=weighted_metrics,
            run_eagerly=run_eagerly,
            steps_per_execution=steps_per_execution,
            jit_compile=jit_compile,
            auto_scale_loss=auto_scale_loss,
        )

    def compile_from_config(self, config: dict[str, Any]) -> None:
        """Compile a model that was loaded, see ``keras.Model.compile_from_config``."""
        self.compile(**keras.saving.deserialize_keras_object(config))
        with self.distribute_strategy.scope():
            self.optimizer.build(self.trainable_variables)

    def get_config(self) -> dict[str, Any]:
        """Return a configuration from which the model can be made again.

        It holds the Keras model with its weights as they were wrapped, because weights
        such as those of a batch normalisation become part of the network.

        Returns
        -------
        config : dict
            In a form for JSON.

        Raises
        ------
        NotImplementedError
            If a network was wrapped instead of a function that makes it, or if an
            option cannot be saved.
        """
        return {
            "name": self.name,
            "arguments": {k: described(v) for k, v in self._origin.arguments.items()},
            **described_source(self._origin.source, self.converter),
        }

    @classmethod
    def from_config(
        cls, config: dict[str, Any], custom_objects: Any = None
    ) -> "WrappedModel":
        """Make a model from the result of `get_config`.

        Parameters
        ----------
        config : dict
            The result of `get_config`.
        custom_objects : dict, optional
            See ``keras.Model.from_config``.

        Returns
        -------
        model : `WrappedModel`
            With the weights that the Keras model had when it was wrapped.
        """
        from nengo_dl.wrapped.wrap import wrap  # which makes objects of this class

        with keras.saving.custom_object_scope(custom_objects or {}):
            source, options = restored_source(config)
        arguments = {k: restored(v) for k, v in config["arguments"].items()}
        return wrap(source, **arguments, **options)

    def get_compile_config(self) -> dict[str, Any]:
        """Return what ``compile`` was called with, in a form for JSON."""
        return super().get_compile_config()

    def fit(self, *args: Any, **kwargs: Any) -> keras.callbacks.History:
        """Train the model, see ``keras.Model.fit``."""
        with for_fit(self, *args, **kwargs) as arguments:
            return super().fit(**arguments)

    def evaluate(
        self,
        x: Any = None,
        y: Any = None,
        batch_size: int | None = None,
        *args: Any,
        **kwargs: Any,
    ) -> Any:
        """Return the loss and the metrics of data, see ``keras.Model.evaluate``."""
        self._size = size_of_minibatches(x, batch_size)
        return super().evaluate(x, y, batch_size, *args, **kwargs)

    def predict(
        self,
        x: Any,
        batch_size: int | None = None,
        verbose: bool | int | str = "auto",
        steps: int | None = None,
        callbacks: Any = None,
    ) -> Any:
        """Return the outputs for data, see ``keras.Model.predict``."""
        self._size = size = size_of_minibatches(x, batch_size)
        # Keras has a part only where somebody watches the minibatches go by
        is_watched = verbose != 0 or callbacks or steps is not None
        is_plain = self._uses_xla and self.distribute_strategy.num_replicas_in_sync == 1
        if size is None or is_watched or not (is_plain and are_arrays(x)):
            return super().predict(x, batch_size, verbose, steps, callbacks)
        return minibatches.predict(super().predict_on_batch, x, size)

    def test_on_batch(self, *args: Any, **kwargs: Any) -> Any:
        """Return the loss and the metrics of a minibatch, see `keras.Model`."""
        self._size = None
        return super().test_on_batch(*args, **kwargs)

    def predict_on_batch(self, x: Any) -> Any:
        """Return the outputs for a minibatch, see ``keras.Model.predict_on_batch``."""
        self._size = None
        return super().predict_on_batch(x)

    def make_train_function(self, force: bool = False) -> Any:
        """Compile `train_step`, see ``keras.Model.make_train_function``."""
        with compiling(self, self._uses_xla):
            return super().make_train_function(force)

    def make_test_function(self, force: bool = False) -> Any:
        """Compile `test_step`, see ``keras.Model.make_test_function``."""
        with compiling(self, False):
            return super().make_test_function(force or self._has_other_size("test"))

    def make_predict_function(self, force: bool = False) -> Any:
        """Compile `predict_step`, see ``keras.Model.make_predict_function``."""
        with compiling(self, False):
            force = force or self._has_other_size("predict")
            return super().make_predict_function(force)

    def test_step(self, data: Any) -> Any:
        """Evaluate one minibatch; return the report."""
        with self._predicting(self._uses_xla):
            return super().test_step(data)

    def predict_step(self, data: Any) -> Any:
        """Return the outputs for one minibatch."""
        with self._predicting(self._uses_xla):
            return super().predict_step(data)

    @contextlib.contextmanager
    def _predicting(self, active: bool) -> Iterator[None]:
        """Say whether calls in this context predict, with minibatches of one size."""
        before = getattr(self._predicts, "active", False)
        self._predicts.active = active
        try:
            yield
        finally:
            self._predicts.active = before

    def _has_other_size(self, use: str) -> bool:
        """Tell whether a function was made for minibatches of another size."""
        before = self._sizes_made.get(use, self._size)
        self._sizes_made[use] = self._size
        return before != self._size
