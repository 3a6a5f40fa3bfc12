"""The data of one call of a Keras method, from what users pass to what Keras takes."""

import warnings
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import Any

import tensorflow as tf

from nengo_dl.keras_model import minibatches
from nengo_dl.keras_model.keras_network import KerasNetwork
from nengo_dl.simulator.arguments import check_steps_without_loop, warn_of_delays
from nengo_dl.simulator.array_data import (
    ArrayData,
    DataSpec,
    check_data,
    check_validation,
)
from nengo_dl.simulator.datasets import Dataset, DatasetAdapter, check_alone, is_dataset
from nengo_dl.simulator.simulation import Simulation
from nengo_dl.simulator.stacklevel import user_level

# Arguments of a Keras method, by name
Arguments = dict[str, Any]

ARRAYS = ("x", "y", "sample_weight")  # those that hold data


class DataAdapter:
    """Checks the data of one call, and gives it the form that Keras takes.

    Parameters
    ----------
    simulation : `Simulation`
        Gets the data.
    network : `KerasNetwork`
        The same as a Keras model.
    needs_targets : bool
        Whether there have to be targets for all losses.
    """

    def __init__(
        self, simulation: Simulation, network: KerasNetwork, needs_targets: bool = True
    ):
        self._setup, self._runner = simulation.setup, simulation.runner
        self._built = simulation.built
        self._network = network
        self._spec = DataSpec(
            nodes=simulation.input_names,
            probes=network.layer.output_names,
            needed=network.model.targets if needs_targets else (),
            minibatch_size=simulation.setup.minibatch_size,
            targets=network.target_specs() if needs_targets else {},
        )
        self._datasets = DatasetAdapter(self._spec)

    def errors(self) -> AbstractContextManager[None]:
        """Return a context that raises errors of datasets as they are."""
        return self._datasets.errors()

    def check(
        self,
        method: str,
        x: Any,
        y: Any = None,
        sample_weight: Any = None,
        n_steps: int | None = None,
    ) -> ArrayData | Dataset:
        """Return checked `ArrayData`, or a dataset, which is checked on its way."""
        on_batch = method == "predict_on_batch"
        if on_batch or not is_dataset(x):
            return check_data(self._spec, x, y, sample_weight, n_steps, on_batch)
        check_alone(x, method, n_steps=n_steps, y=y, sample_weight=sample_weight)
        return x

    def check_stateful(self, data: ArrayData | Dataset, stateful: bool) -> bool:
        """Return whether a call is stateful; warn of what it cannot do."""
        if isinstance(data, ArrayData) and not self._built.settings.use_loop:
            check_steps_without_loop(data.n_steps, self._setup.unroll)
        if stateful and not self._network.layer.stateful:
            warnings.warn(
                "stateful=True has no effect in a network with "
                "configure_settings(stateful=False), or under a tf.distribute "
                "strategy.",
                stacklevel=user_level(),
            )
            stateful = False
        if isinstance(data, ArrayData) and data.n_steps == 1 and not stateful:
            probes = self._spec.probes
            filtered = [probe for probe, name in probes.items() if name in data.targets]
            warn_of_delays(self._built.model.toplevel, filtered)
        return stateful

    def is_pure(self, data: ArrayData | Dataset) -> bool:
        """Tell whether a stateless call changes nothing, also not in between."""
        nodes = data.inputs if isinstance(data, ArrayData) else self._spec.nodes
        return self._network.is_pure(nodes)

    def arguments(self, data: ArrayData | Dataset) -> Arguments:
        """Return the arguments of a Keras method; generate missing inputs."""
        if not isinstance(data, ArrayData):
            return {"x": self._from_dataset(data)}
        x = self._network.inputs(
            data.inputs, data.n_items, data.n_steps, self._runner.n_steps
        )
        arguments: Arguments = {"x": x, "batch_size": self._setup.minibatch_size}
        if data.targets:
            arguments["y"] = data.targets
        if data.weights is not None:
            arguments["sample_weight"] = data.weights
        return arguments

    def expect(self, data: ArrayData | Dataset) -> None:
        """Let the network get ready for the steps of the data, if they are known."""
        if isinstance(data, ArrayData):
            n_minibatches = data.n_items // self._setup.minibatch_size
            self._network.expect(data.n_steps, n_minibatches)

    def fit_arguments(
        self, x: Any, y: Any, n_steps: int | None, stateful: bool, kwargs: Arguments
    ) -> tuple[Arguments, bool]:
        """Return the arguments of ``fit``, and whether it is stateful.

        Takes those that hold data out of `kwargs`.
        """
        validation = kwargs.pop("validation_data", None)
        fraction = kwargs.pop("validation_split", 0.0)
        class_weight = kwargs.pop("class_weight", None)
        data = self.check("fit", x, y, kwargs.pop("sample_weight", None), n_steps)
        if isinstance(data, ArrayData):
            if fraction and validation is None:  # else it does not count, as in Keras
                data, validation = data.split(fraction, self._setup.minibatch_size)
            if class_weight is not None:
                data = data.with_class_weight(class_weight)
        else:
            check_alone(x, "fit", validation_split=fraction or None)
            if class_weight is not None:
                kwargs["class_weight"] = class_weight
        stateful = self.check_stateful(data, stateful)
        arguments = self.arguments(data)
        if validation is not None:
            arguments["validation_data"] = self._validation(validation, n_steps)
        return arguments, stateful

    @contextmanager
    def by_minibatch(
        self, arguments: Arguments, shuffle: bool | str = False
    ) -> Iterator[Arguments]:
        """Hand arrays to a Keras method minibatch by minibatch."""
        arrays = {key: x for key, x in arguments.items() if key in ARRAYS}
        size = arguments.get("batch_size")
        if size is None:
            yield arguments
            return
        with minibatches.minibatches(arrays, size, shuffle) as dataset:
            yield {"x": dataset}

    @contextmanager
    def for_training(
        self, arguments: Arguments, kwargs: Arguments
    ) -> Iterator[Arguments]:
        """Hand arrays to ``fit``, also those for validation, minibatch by minibatch.

        Yields all arguments.
        """
        arguments = dict(arguments)
        validation = arguments.pop("validation_data", None)
        with ExitStack() as stack:
            shuffle = kwargs.get("shuffle", True)
            changed = stack.enter_context(self.by_minibatch(arguments, shuffle))
            changed = {**kwargs, **changed}
            if changed["x"] is not arguments["x"]:
                changed["shuffle"] = False  # of the dataset, which is shuffled
            if isinstance(validation, dict):
                parts = stack.enter_context(self.by_minibatch(validation))
                validation = tuple(parts[key] for key in ARRAYS if key in parts)
            if validation is not None:
                changed["validation_data"] = validation
            yield changed

    def predict(self, arguments: Arguments, kwargs: Arguments) -> Arguments:
        """Return outputs by name, for arguments of ``predict``: data, and all others.

        Only where somebody watches the minibatches of arrays go by, Keras has a part.
        """
        model, size = self._network.predictor, arguments.get("batch_size")
        is_watched = kwargs.get("callbacks") or kwargs.get("verbose", "auto") != 0
        if size is not None and self._setup.strategy is None:
            model.trace_predict(minibatches.minibatch_spec(arguments["x"], size))
            if not is_watched and kwargs.get("steps") is None:
                return minibatches.predict(model.predict_on_batch, arguments["x"], size)
        with self.by_minibatch(arguments) as data:
            return model.predict(**data, **kwargs)

    def predict_on_batch(self, arguments: Arguments, kwargs: Arguments) -> Arguments:
        """Return outputs by name, for arguments of ``predict_on_batch``."""
        if self._setup.strategy is None:
            return self._network.predictor.predict_on_batch(arguments["x"], **kwargs)
        # Keras would give the whole minibatch to each replica
        return self.predict(arguments, {"verbose": 0, **kwargs})

    def _validation(self, validation: Any, n_steps: int | None) -> Any:
        if not isinstance(validation, ArrayData):
            if is_dataset(validation):
                return self._from_dataset(validation)
            validation = check_validation(self._spec, validation, n_steps)
        return self.arguments(validation)

    def _from_dataset(self, data: Dataset) -> Dataset:
        if self._setup.strategy is not None and isinstance(data, tf.data.Dataset):
            return data  # which Keras distributes
        return self._datasets.in_minibatches(data)
