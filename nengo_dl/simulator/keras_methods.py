"""The methods of a `Simulator` that it shares with `keras.Model`."""

import contextlib
import warnings
from collections.abc import Iterable
from typing import Any

import keras
import nengo
import numpy as np
import tensorflow as tf
from nengo.exceptions import SimulationError, ValidationError

from nengo_dl.errors import argument, arguments_of
from nengo_dl.keras_model.keras_network import KerasNetwork
from nengo_dl.keras_model.minibatches import minibatches
from nengo_dl.keys import Keys
from nengo_dl.simulator.arguments import (
    check_keywords,
    check_probes,
    check_steps_without_loop,
    warn_of_delays,
)
from nengo_dl.simulator.array_data import (
    ArrayData,
    DataSpec,
    check_data,
    check_validation,
    without_batch_size,
)
from nengo_dl.simulator.caller import user_level
from nengo_dl.simulator.compile_arguments import by_argument
from nengo_dl.simulator.datasets import Datasets, check_alone, is_dataset
from nengo_dl.simulator.gradients import check_gradients
from nengo_dl.simulator.inputs import check_inputs
from nengo_dl.simulator.no_gradients import gradients_explained

REMOVED = (
    "Simulator.{} was removed in NengoDL 3. Choose optimizer and loss with "
    "Simulator.compile, then call Simulator.{}."
)


class KerasMethods:
    """Part of the `Simulator`: training, evaluation and prediction with Keras."""

    @property
    def keras_model(self) -> keras.Model:
        """(keras.Model) The network as a model, with inputs and outputs by name."""
        self._check_open("keras_model")
        return self._keras_network.model

    @property
    def tensor_graph(self) -> keras.Layer:
        """(keras.Layer) The network as a layer, for use in other models."""
        self._check_open("tensor_graph")
        return self._keras_network.layer

    def compile(
        self,
        *args,
        loss: Any = None,
        metrics: Any = None,
        loss_weights: list | dict | None = None,
        **kwargs,
    ) -> None:
        """Choose how `fit` trains the network, and what `evaluate` computes.

        Parameters
        ----------
        *args
            The optimizer (a name or a `keras.optimizers.Optimizer`), the loss, and then
            metrics and loss weights, in either order: numbers are taken for weights,
            all else for metrics. So both ``compile("adam", "mse", ["mae"])`` and Keras'
            own order mean what they say. Anything else goes by name.
        loss : str or keras.losses.Loss or callable, or list or dict of them, optional
            One for every probe, a list in the order of the probes, or a dict by probe
            or name, for these probes alone. The total loss is the weighted sum.
        metrics : str or keras.metrics.Metric or callable, or list or dict, optional
            In the same forms; lists of several metrics for a probe are possible, too.
            One metric, or a list for all probes, goes to those with a loss.
        loss_weights : list or dict of float, optional
            In the same forms.
        **kwargs
            See ``keras.Model.compile``. ``jit_compile`` follows the setting of the
            network by default, see `nengo_dl.configure_settings`.

        Raises
        ------
        ValidationError
            If a key is no probe, a list has a wrong length, or an argument is given
            twice.

        Examples
        --------
        .. testcode::

           with nengo.Network(seed=0) as net:
               stimulus = nengo.Node([0])
               ens = nengo.Ensemble(20, 1, neuron_type=nengo.LIFRate())
               nengo.Connection(stimulus, ens, synapse=None)
               probe = nengo.Probe(ens)

           x = np.linspace(-1, 1, 100).reshape(100, 1, 1)
           with nengo_dl.Simulator(net, minibatch_size=10, progress_bar=False) as sim:
               sim.compile("rmsprop", loss={probe: "mse"}, metrics={probe: ["mae"]})
               history = sim.fit({stimulus: x}, {probe: x**2}, epochs=2, verbose=0)
           print(list(history.history))

        .. testoutput::

           ['loss', 'probe_loss', 'probe_mae']
        """
        self._check_open("compile")
        check_keywords("compile", keras.Model.compile, kwargs)
        by_probe = {"loss": loss, "metrics": metrics, "loss_weights": loss_weights}
        given = by_argument(args, {**by_probe, **kwargs})
        probes = Keys(self._keras_network.layer.output_names, "probe")
        for key in (*by_probe, "weighted_metrics"):
            if key in given:
                with argument(key):
                    given[key] = probes.with_names(given[key])
        given.setdefault("jit_compile", self._keras_network.layer.supports_jit)
        with self.calls.alone("compile"), self._scope():
            self._keras_network.model.compile(**given)

    def fit(
        self,
        x: Any = None,
        y: Any = None,
        n_steps: int | None = None,
        stateful: bool = False,
        **kwargs,
    ) -> keras.callbacks.History:
        """Train the network.

        Neurons behave as the setting ``training_mode`` says; by default, spiking ones
        are replaced by their rates.

        Parameters
        ----------
        x : None or dict or list or ndarray or dataset, optional
            Data for the input nodes, see `predict`; arrays of shape (n_items, n_steps,
            size_out). Datasets and generators give pairs of inputs and targets.
        y : dict or list or ndarray, optional
            Targets: by probe or name, in the order of the probes, or one for the first
            probe; of shape (n_items, n_steps, size). Probes without a loss need none.
        n_steps : int, optional
            Number of steps to simulate; needed if `x` does not tell.
        stateful : bool
            Whether each minibatch starts where the last one ended, and the simulation
            keeps the state. Otherwise, all start from the state there was before.
        **kwargs
            See ``keras.Model.fit``. ``validation_data`` is ``(x, y)`` or ``(x, y,
            sample_weight)`` in the same forms. The size of minibatches is that of the
            simulator.

        Returns
        -------
        history : `keras.callbacks.History`
            Its ``history`` has lists by the keys that `evaluate` returns, and by the
            same with "val\\_" before.

        Raises
        ------
        ValidationError
            If data has the wrong form. Nothing has been trained then.
        SimulationError
            If a function of the user's fails, or if the network is configured with
            ``inference_only=True``.
        """
        self._check_open("fit")
        self._check_trains("fit")
        check_keywords("fit", keras.Model.fit, kwargs)
        self._check_compiled("fit")
        kwargs = without_batch_size(kwargs, self.minibatch_size)
        with self.calls.alone("fit"):
            datasets = Datasets(self._spec())
            data, stateful = self._training_data(
                datasets, x, y, n_steps, stateful, kwargs
            )
            with datasets.errors(), self._lent(stateful), self._explained(data):
                return self._keras_network.model.fit(**data, **kwargs)

    def evaluate(
        self,
        x: Any = None,
        y: Any = None,
        n_steps: int | None = None,
        stateful: bool = False,
        **kwargs,
    ) -> dict[str, float]:
        """Compute the losses and metrics of the network, in inference mode.

        Parameters
        ----------
        x, y, n_steps, stateful : as for `fit`
            The data, and what to do with it.
        **kwargs
            See ``keras.Model.evaluate``.

        Returns
        -------
        values : dict of str to float
            "loss", then "<probe>_loss" for all probes with a loss, then
            "<probe>_<metric>".

        Raises
        ------
        ValidationError
            If data has the wrong form.
        SimulationError
            If a function of the user's fails.
        """
        self._check_open("evaluate")
        check_keywords("evaluate", keras.Model.evaluate, kwargs)
        self._check_compiled("evaluate")
        kwargs = without_batch_size(kwargs, self.minibatch_size)
        _check_dict(kwargs.pop("return_dict", True))
        weights = kwargs.pop("sample_weight", None)
        is_nested = self.calls.is_nested
        with self.calls.beside("evaluate", keeps_state=stateful):
            datasets = Datasets(self._spec())
            if is_dataset(x):
                others = {"n_steps": n_steps, "y": y, "sample_weight": weights}
                check_alone(x, "evaluate", **others)
                data = {"x": self._taken(datasets, x)}
                stateful = self._check_stateful(stateful)
            else:
                arrays = check_data(self._spec(), x, y, weights, n_steps)
                data = self._batched(arrays)
                stateful = self._check_keras_call(
                    arrays.n_steps, stateful, arrays.targets
                )
            model = self._keras_network.model
            with (
                datasets.errors(),
                self._lent(stateful),
                self._handed_over(data) as data,
                model.metrics_kept() if is_nested else contextlib.nullcontext(),
            ):
                return model.evaluate(**data, return_dict=True, **kwargs)

    def predict(
        self,
        x: Any = None,
        n_steps: int | None = None,
        stateful: bool = False,
        **kwargs,
    ) -> dict[nengo.Probe, np.ndarray]:
        """Compute the outputs of all probes, in inference mode.

        Parameters
        ----------
        x : None or dict or list or ndarray or dataset, optional
            Data for the input nodes, each array of shape (n_items, n_steps, size_out):
            by node or name, in the order of the nodes, or one for the first node. What
            is not given is generated from the nodes. Datasets and generators give all
            inputs, in batches of any size or item by item.
        n_steps : int, optional
            Number of steps to simulate; needed if `x` does not tell.
        stateful : bool
            Whether each minibatch starts where the last one ended, and the simulation
            keeps the state. Otherwise, all start from the state there was before.
        **kwargs
            See ``keras.Model.predict``.

        Returns
        -------
        outputs : dict of Probe to ndarray
            Of shape (n_items, n_steps, size_in) each. Empty without probes.

        Raises
        ------
        ValidationError
            If data has the wrong form.
        SimulationError
            If a function of the user's fails.
        """
        self._check_open("predict")
        check_keywords("predict", keras.Model.predict, kwargs)
        return self._predict("predict", x, n_steps, stateful, kwargs)

    def predict_on_batch(
        self,
        x: Any = None,
        n_steps: int | None = None,
        stateful: bool = False,
        **kwargs,
    ) -> dict[nengo.Probe, np.ndarray]:
        """Compute the outputs of all probes for one minibatch.

        Parameters
        ----------
        x : None or dict or list or ndarray, optional
            As for `predict`, of shape (minibatch_size, n_steps, size_out) each.
        n_steps : int, optional
            Number of steps to simulate; needed if `x` does not tell.
        stateful : bool
            Whether the simulation keeps the state.
        **kwargs
            See `predict`.

        Returns
        -------
        outputs : dict of Probe to ndarray
            Of shape (minibatch_size, n_steps, size_in) each.

        Raises
        ------
        ValidationError
            If data has the wrong form.
        SimulationError
            If a function of the user's fails.
        """
        self._check_open("predict_on_batch")
        return self._predict("predict_on_batch", x, n_steps, stateful, kwargs)

    def check_gradients(
        self,
        inputs: Any = None,
        outputs: Iterable[nengo.Probe] | None = None,
        atol: float = 1e-5,
        rtol: float = 1e-3,
    ) -> dict[nengo.Probe, dict[str, list[np.ndarray]]]:
        """Compare the gradients that training uses with finite differences.

        Parameters
        ----------
        inputs : dict of Node to ndarray, optional
            Where to evaluate, see `predict`; of shape (minibatch_size, n_steps,
            size_out). By default zeros, for twice as many steps as
            ``unroll_simulation``.
        outputs : list of Probe, optional
            What to differentiate; by default all probes.
        atol, rtol : float
            Largest difference: ``atol + rtol * abs(numeric)``.

        Returns
        -------
        gradients : dict of Probe to dict
            "analytic" and "numeric", each a list of one array per input node, of shape
            (size of the input, size of the output), over items, steps and dimensions.

        Raises
        ------
        SimulationError
            If a gradient is not finite or differs, or if the network is configured with
            ``inference_only=True``.
        """
        self._check_open("check_gradients")
        self._check_trains("check_gradients")
        n_steps = self.unroll if not self._settings.use_loop else 2 * self.unroll
        if inputs is None:
            inputs = {
                node: np.zeros((self.minibatch_size, n_steps, node.size_out))
                for node in self._input_names
            }
        arrays, _ = check_inputs(inputs, self._input_names, self.minibatch_size)
        with arguments_of(type(self)):
            probes = check_probes(outputs, self.model.probes)
        with self.calls.alone("check_gradients"), self._scope():
            layer = self._keras_network.in_float64()
            return check_gradients(layer, arrays, probes, atol, rtol)

    def train(self, *args, **kwargs):
        """Raise SimulationError: was removed in NengoDL 3."""
        raise SimulationError(REMOVED.format("train", "fit"))

    def loss(self, *args, **kwargs):
        """Raise SimulationError: was removed in NengoDL 3."""
        raise SimulationError(REMOVED.format("loss", "evaluate"))

    @property
    def _keras_network(self):
        with self._making:
            return self._made_keras_network or self._make_keras_network()

    def _make_keras_network(self):
        with self._scope():
            keras_network = KerasNetwork(
                self._runner.program,
                self._runner.engine,
                self._names,
                tuple(self._input_names),
                self.seed,
            )
        self._runner.attach(keras_network.layer)
        self._made_keras_network = keras_network
        return keras_network

    def _predict(self, method, x, n_steps, stateful, kwargs):
        kwargs = without_batch_size(kwargs, self.minibatch_size)
        model, on_batch = self._keras_network.predictor, method == "predict_on_batch"
        spec = self._spec(targets=())
        datasets = Datasets(spec)
        if is_dataset(x) and not on_batch:
            check_alone(x, "predict", n_steps=n_steps)
            data, given = {"x": self._taken(datasets, x)}, self._input_names
            stateful = self._check_stateful(stateful)
        else:
            arrays = check_data(spec, x, n_steps=n_steps, on_batch=on_batch)
            data, given = None, arrays.inputs
            stateful = self._check_keras_call(arrays.n_steps, stateful)
        shares = not stateful and self._keras_network.is_pure(given)
        with self.calls.beside(method, shares, stateful):
            data = self._batched(arrays) if data is None else data
            with datasets.errors(), self._lent(stateful):
                if on_batch:
                    outputs = model.predict_on_batch(data["x"], **kwargs)
                else:
                    with self._handed_over(data) as data:
                        outputs = model.predict(**data, **kwargs)
        names = self._keras_network.layer.output_names
        return {
            probe: outputs[name][:1]
            if self._keras_network.is_shared(probe)
            else outputs[name]
            for probe, name in names.items()
        }

    def _spec(self, targets=None):
        """Describe what data must fit."""
        keras_network = self._keras_network
        return DataSpec(
            nodes=self._input_names,
            probes=keras_network.layer.output_names,
            needed=keras_network.model.targets if targets is None else targets,
            minibatch_size=self.minibatch_size,
            targets=keras_network.target_specs() if targets is None else {},
        )

    def _batched(self, arrays):
        """Turn arrays into arguments of a Keras method."""
        x = self._keras_network.inputs(
            arrays.inputs, arrays.n_items, arrays.n_steps, self.n_steps
        )
        targets = _given(y=arrays.targets or None, sample_weight=arrays.weights)
        return {"x": x, "batch_size": self.minibatch_size, **targets}

    @contextlib.contextmanager
    def _lent(self, stateful):
        """Let Keras have the state of the simulation, and run its callbacks."""
        with self._scope(), self._runner.lent(stateful), self.calls.in_keras():
            yield

    @contextlib.contextmanager
    def _handed_over(self, data):
        """Let a Keras method take arrays minibatch by minibatch, in their order."""
        if "batch_size" not in data or self._strategy is not None:
            yield data
            return
        arrays = {key: value for key, value in data.items() if key != "batch_size"}
        with minibatches(arrays, data["batch_size"]) as dataset:
            yield {"x": dataset}

    def _explained(self, data):
        """Say why nothing is trained, if it is so."""
        layer, targets = self._keras_network.layer, self._keras_network.model.targets
        probes = {p: name for p, name in layer.output_names.items() if name in targets}
        x = data["x"]
        n_steps = next(iter(x.values())).shape[1] if isinstance(x, dict) else None
        return gradients_explained(layer.engine, probes, n_steps)

    def _training_data(self, datasets, x, y, n_steps, stateful, kwargs):
        """Turn arguments of ``fit`` that hold data into those of Keras."""
        validation = kwargs.pop("validation_data", None)
        fraction = kwargs.pop("validation_split", 0.0)
        class_weight = kwargs.pop("class_weight", None)
        weights = kwargs.pop("sample_weight", None)
        if is_dataset(x):
            others = {"n_steps": n_steps, "y": y, "sample_weight": weights}
            check_alone(x, "fit", **others, validation_split=fraction or None)
            data = {"x": self._taken(datasets, x), **_given(class_weight=class_weight)}
            stateful = self._check_stateful(stateful)
        else:
            arrays = check_data(self._spec(), x, y, weights, n_steps)
            if fraction and validation is None:  # else it does not count, as in Keras
                arrays, validation = arrays.split(fraction, self.minibatch_size)
            if class_weight is not None:
                arrays = arrays.with_class_weight(class_weight)
            data = self._batched(arrays)
            stateful = self._check_keras_call(arrays.n_steps, stateful, arrays.targets)
        if validation is not None:
            data["validation_data"] = self._validation(datasets, validation, n_steps)
        return data, stateful

    def _taken(self, datasets, data):
        """Return a dataset as Keras is to take it."""
        if self._strategy is not None and isinstance(data, tf.data.Dataset):
            return data  # which Keras distributes
        return datasets.in_minibatches(data)

    def _validation(self, datasets, validation, n_steps):
        """Return validation data in a form that Keras takes."""
        if not isinstance(validation, ArrayData):
            if is_dataset(validation):
                return self._taken(datasets, validation)
            validation = check_validation(self._spec(), validation, n_steps)
        data = self._batched(validation)
        return tuple(data[key] for key in ("x", "y", "sample_weight") if key in data)

    def _check_compiled(self, what):
        if not self._keras_network.model.compiled:
            raise ValidationError(
                "expected to know the loss (got a simulator that has not been "
                'compiled). Call sim.compile("adam", loss="mse") before.',
                attr=what,
                obj=self,
            )

    def _check_trains(self, what):
        if self._settings.inference_only:
            raise SimulationError(
                f"Simulator.{what}: expected a network that can be trained (got one "
                "with inference_only=True). Call "
                "configure_settings(inference_only=False)."
            )

    def _check_stateful(self, stateful):
        """Warn if a call cannot be stateful; return whether it is."""
        if stateful and not self._keras_network.layer.stateful:
            warnings.warn(
                "stateful=True has no effect in a network with "
                "configure_settings(stateful=False), or under a tf.distribute "
                "strategy.",
                stacklevel=user_level(),
            )
            return False
        return stateful

    def _check_keras_call(self, n_steps, stateful, targets=()):
        """Warn of what a call cannot do; return whether it is stateful."""
        if not self._settings.use_loop:
            check_steps_without_loop(n_steps, self.unroll)
        stateful = self._check_stateful(stateful)
        if n_steps == 1 and not stateful:
            probes = self._keras_network.layer.output_names
            filtered = [probe for probe, name in probes.items() if name in targets]
            warn_of_delays(self.model.toplevel, filtered)
        return stateful


def _check_dict(return_dict):
    if return_dict is not True:
        raise ValidationError(
            f"must be True (got {return_dict!r}). Leave it out, and take the values "
            "from the dict: list(result.values()).",
            attr="return_dict",
        )


def _given(**arguments):
    """Leave out arguments that are None."""
    return {name: value for name, value in arguments.items() if value is not None}
