"""Keras' methods on a simulated network: compile, fit, evaluate and predict."""

import contextlib
import threading
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import keras
import numpy as np
from nengo import Probe
from nengo.exceptions import SimulationError, ValidationError

from nengo_dl.errors import argument, arguments_of
from nengo_dl.keras_model.keras_network import KerasNetwork
from nengo_dl.keys import Keys
from nengo_dl.names import listing
from nengo_dl.simulator.arguments import check_keywords, check_probes
from nengo_dl.simulator.array_data import without_batch_size
from nengo_dl.simulator.compile_arguments import by_argument
from nengo_dl.simulator.data_adapter import Arguments, DataAdapter
from nengo_dl.simulator.gradients import Gradients, check_gradients
from nengo_dl.simulator.inputs import check_inputs
from nengo_dl.simulator.no_gradients import gradients_explained
from nengo_dl.simulator.simulation import Simulation

# Arrays of shape (n_items, n_steps, size) by probe
Outputs = dict[Probe, np.ndarray]


class Trainer:
    """Lends the state of a simulation to a Keras model, and calls its methods.

    Parameters
    ----------
    simulation : `Simulation`
        Gets its Keras model when that is first needed, and under a strategy at once,
        to which variables belong.
    """

    def __init__(self, simulation: Simulation):
        self._simulation = simulation
        self._making = threading.RLock()
        if simulation.setup.strategy is not None:
            self._make()

    def network(self, method: str) -> KerasNetwork:
        """Return the network as a Keras model, for a method of an open simulator."""
        self._simulation.check_open(method)
        return self._simulation.runner.keras_network or self._make()

    def compile(
        self, positional: tuple, by_probe: Mapping[str, Any], kwargs: Arguments
    ) -> None:
        """See `.Simulator.compile`; `by_probe` has the arguments keyed by probes."""
        check_keywords("compile", keras.Model.compile, kwargs)
        network = self.network("compile")
        given = by_argument(positional, {**by_probe, **kwargs})
        probes = Keys(network.layer.output_names, "probe")
        for key in (*by_probe, "weighted_metrics"):
            if key in given:
                with argument(key):
                    given[key] = probes.with_names(given[key])
        given.setdefault("jit_compile", network.layer.supports_jit)
        with self._simulation.lock.alone("compile"), self._simulation.setup.scope():
            network.model.compile(**given)

    def fit(
        self, x: Any, y: Any, n_steps: int | None, stateful: bool, kwargs: Arguments
    ) -> keras.callbacks.History:
        """See `.Simulator.fit`."""
        self._simulation.check_open("fit")
        self._check_trains("fit")
        self._simulation.check_has_own_weights("fit")
        check_keywords("fit", keras.Model.fit, kwargs)
        network = self._compiled("fit")
        kwargs = self._without_batch_size(kwargs)
        with self._simulation.lock.alone("fit"):
            adapter = DataAdapter(self._simulation, network)
            data, stateful = adapter.fit_arguments(x, y, n_steps, stateful, kwargs)
            explained = _explained(network, data["x"])
            with (
                adapter.errors(),
                self._lent(network, stateful),
                explained,
                adapter.for_training(data, kwargs) as arguments,
            ):
                return network.model.fit(**arguments)

    def evaluate(
        self, x: Any, y: Any, n_steps: int | None, stateful: bool, kwargs: Arguments
    ) -> dict[str, float]:
        """See `.Simulator.evaluate`."""
        check_keywords("evaluate", keras.Model.evaluate, kwargs)
        network = self._compiled("evaluate")
        kwargs = self._without_batch_size(kwargs)
        _check_dict(kwargs.pop("return_dict", True))
        weights = kwargs.pop("sample_weight", None)
        lock, model = self._simulation.lock, network.model
        is_nested = lock.is_nested
        with lock.beside("evaluate", keeps_state=stateful):
            adapter = DataAdapter(self._simulation, network)
            checked = adapter.check("evaluate", x, y, weights, n_steps)
            stateful = adapter.check_stateful(checked, stateful)
            arguments = adapter.arguments(checked)
            adapter.expect(checked)
            with (
                adapter.errors(),
                self._lent(network, stateful),
                adapter.by_minibatch(arguments) as data,
                model.metrics_kept() if is_nested else contextlib.nullcontext(),
            ):
                return model.evaluate(**data, return_dict=True, **kwargs)

    def predict(
        self,
        x: Any,
        n_steps: int | None,
        stateful: bool,
        kwargs: Arguments,
        on_batch: bool = False,
    ) -> Outputs:
        """See `.Simulator.predict` and `.Simulator.predict_on_batch`."""
        method = "predict_on_batch" if on_batch else "predict"
        network = self.network(method)
        if not on_batch:
            check_keywords("predict", keras.Model.predict, kwargs)
        kwargs = self._without_batch_size(kwargs)
        adapter = DataAdapter(self._simulation, network, needs_targets=False)
        checked = adapter.check(method, x, n_steps=n_steps)
        stateful = adapter.check_stateful(checked, stateful)
        shares = not stateful and adapter.is_pure(checked)
        with self._simulation.lock.beside(method, shares, stateful):
            arguments = adapter.arguments(checked)
            adapter.expect(checked)
            with adapter.errors(), self._lent(network, stateful):
                if on_batch:
                    outputs = adapter.predict_on_batch(arguments, kwargs)
                else:
                    outputs = adapter.predict(arguments, kwargs)
        return {
            probe: outputs[name][:1] if network.is_shared(probe) else outputs[name]
            for probe, name in network.layer.output_names.items()
        }

    def check_gradients(
        self, inputs: Any, outputs: Iterable[Probe] | None, atol: float, rtol: float
    ) -> dict[Probe, Gradients]:
        """See `.Simulator.check_gradients`."""
        simulation, setup = self._simulation, self._simulation.setup
        simulation.check_open("check_gradients")
        self._check_trains("check_gradients")
        self._check_no_tiles()
        if inputs is None:
            n_steps = setup.unroll * (2 if simulation.built.settings.use_loop else 1)
            inputs = {
                node: np.zeros((setup.minibatch_size, n_steps, node.size_out))
                for node in simulation.input_names
            }
        arrays, _ = check_inputs(inputs, simulation.input_names, setup.minibatch_size)
        with arguments_of(setup.owner):
            probes = check_probes(outputs, simulation.built.model.probes)
        network = self.network("check_gradients")
        with simulation.lock.alone("check_gradients"), setup.scope():
            return check_gradients(network.in_float64(), arrays, probes, atol, rtol)

    def _make(self) -> KerasNetwork:
        simulation, runner = self._simulation, self._simulation.runner
        with self._making:
            network = runner.keras_network
            if network is None:
                with simulation.setup.scope():
                    network = KerasNetwork(
                        runner.program,
                        runner.engine,
                        simulation.built.names,
                        simulation.built.nodes,
                        runner.seed,
                    )
                runner.attach(network)
            return network

    @contextlib.contextmanager
    def _lent(self, network: KerasNetwork, stateful: bool) -> Iterator[None]:
        """Let Keras have the state of the simulation, and run its callbacks."""
        simulation = self._simulation
        with (
            simulation.setup.scope(),
            simulation.runner.lent(network.layer, stateful),
            simulation.lock.in_keras(),
        ):
            yield

    def _without_batch_size(self, kwargs: Arguments) -> Arguments:
        return without_batch_size(kwargs, self._simulation.setup.minibatch_size)

    def _compiled(self, method: str) -> KerasNetwork:
        network = self.network(method)
        if not network.model.compiled:
            raise ValidationError(
                "expected to know the loss (got a simulator that has not been "
                'compiled). Call sim.compile("adam", loss="mse") before.',
                attr=method,
                obj=self._simulation.setup.owner,
            )
        return network

    def _check_trains(self, method: str) -> None:
        if self._simulation.built.settings.inference_only:
            raise SimulationError(
                f"Simulator.{method}: expected a network that can be trained (got one "
                "with inference_only=True). Call "
                "configure_settings(inference_only=False)."
            )

    def _check_no_tiles(self) -> None:
        parameters = self._simulation.built.program.parameters
        on_tiles = [p.name for p in parameters if p.placement and p.placement.tile]
        if on_tiles:
            raise SimulationError(
                "Simulator.check_gradients: expected exact products (got those of "
                f"tiles, with {listing(on_tiles)}). Converters round, so that finite "
                "differences are 0 or large, and training takes the derivative to be "
                "1. Check nengo_dl.hardware.remove(net) instead."
            )


def _check_dict(return_dict: Any) -> None:
    if return_dict is not True:
        raise ValidationError(
            f"must be True (got {return_dict!r}). Leave it out, and take the values "
            "from the dict: list(result.values()).",
            attr="return_dict",
        )


def _explained(
    network: KerasNetwork, x: Any
) -> contextlib.AbstractContextManager[None]:
    """Return a context that says why nothing is trained, if it is so."""
    layer, targets = network.layer, network.model.targets
    probes = {p: name for p, name in layer.output_names.items() if name in targets}
    # some may have a single step, which is held
    n_steps = max(a.shape[1] for a in x.values()) if isinstance(x, dict) else None
    return gradients_explained(layer.engine, probes, n_steps)
