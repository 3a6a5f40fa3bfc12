"""A simulation as a Keras layer, which owns the network's weights.

A call reads the weights, and runs all time steps as one differentiable function. If the
layer is stateful, it keeps the state for the next call.
"""

from collections.abc import Mapping, MutableMapping
from dataclasses import replace
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from nengo import Node
from nengo.exceptions import SimulationError, ValidationError

from nengo_dl.engine.engine import Engine
from nengo_dl.engine.values import Values
from nengo_dl.keras_model.compiled_metrics import without_compiled
from nengo_dl.keras_model.layer_inputs import LayerInputs
from nengo_dl.keras_model.layer_state import LayerState
from nengo_dl.keras_model.learned_weights import LearnedWeights
from nengo_dl.keras_model.network_loop import NetworkLoop
from nengo_dl.keras_model.parameter_weights import ParameterWeights
from nengo_dl.keras_model.steps_to_run import Length, current_steps
from nengo_dl.keras_model.variable_slice import VariableSlice, layer_weights
from nengo_dl.names import listing

# The output of a network without probes, of size 0: Keras wants one of all models. No
# probe can have this name.
NOTHING = "nengo>nothing"


class EngineLayer(keras.layers.Layer):
    """Runs an engine on tensors of shape (minibatch_size, n_steps, size).

    Parameters
    ----------
    engine : `Engine`
        The engine to run.
    names : mapping of Node or Probe to str
        Names of inputs and outputs.
    inputs : tuple of Node
        The nodes that are always given. Data of other input nodes is optional.
    seed : int
        Seed of all random numbers, from 0 to 2**32 - 1.
    stateful : bool
        Whether variables carry the state from call to call, see `keep`. This needs an
        engine with a minibatch size.
    learns : bool, optional
        Whether calls keep values that learning rules change; by default, if the layer
        is stateful. This needs an engine with a minibatch size.
    unwrap : bool
        Whether to return a single output as a tensor instead of a dict.
    **kwargs
        See `keras.layers.Layer`.

    Attributes
    ----------
    input_names, output_names : dict of Node or Probe to str
        The names of inputs and outputs.
    time_input : str
        The name of an input of size 0 that may say how many steps to run.
    keras_layers : list of keras.Layer
        Layers that the network calls.
    parameters : `ParameterWeights`
        The parameters that no learning rule changes.
    learned : `LearnedWeights`
        The parameters that learning rules change.
    reader : `LayerInputs`
        Reads inputs.
    loop : `NetworkLoop`
        The loop over time, a function of what it is given alone.
    """

    def __init__(
        self,
        engine: Engine,
        names: Mapping[Any, str],
        inputs: tuple[Node, ...],
        *,
        seed: int = 0,
        stateful: bool = False,
        learns: bool | None = None,
        unwrap: bool = False,
        **kwargs,
    ):
        super().__init__(dtype=engine.dtype.name, autocast=False, **kwargs)
        self.engine = engine
        self.stateful = stateful
        self._learns = stateful if learns is None else learns
        self._unwraps = unwrap and len(engine.program.probes) == 1
        self.reader = LayerInputs(engine, names, inputs)
        self._state = LayerState(engine, seed, stateful)
        self.input_names = self.reader.names
        self.time_input = self.reader.time
        self.output_names = {probe: names[probe] for probe in engine.program.probes}
        self._shapes = [s.shape or (1,) for s in engine.program.probes.values()]
        self.supports_jit = engine.jit_compile and not self.reader.calls_python
        self.keras_layers = list(engine.layers)
        self.parameters = ParameterWeights(engine, self.add_weight)
        self.learned = LearnedWeights(engine, self.add_weight)
        models = [m for m in self.keras_layers if isinstance(m, keras.Model)]
        self._initial_models = [(model, model.get_weights()) for model in models]
        self.loop = NetworkLoop(engine, self.reader, self.parameters)
        self.built = True

    @property
    def metrics(self):
        """(list of keras.Metric) The metrics of layers of the network."""
        return without_compiled(super().metrics, self)

    def call(
        self, inputs: Any, training: bool | None = None, n_steps: Length | None = None
    ) -> Any:
        """Run the network.

        Parameters
        ----------
        inputs : dict of str to tensor, or list of tensor, or tensor
            By name of the node, in the order of the nodes, or for the first node; of
            shape (minibatch_size, n_steps, size_out). Nodes that are not given keep
            their own output. A network without input nodes takes an input "time" of
            size 0.
        training : bool, optional
            Whether neurons and layers behave as in training.
        n_steps : int, optional
            Number of steps to run. Inputs may have the shape (minibatch_size, 1,
            size_out) then, and stay the same in all steps. By default, the inputs tell.

        Returns
        -------
        outputs : dict of str to tensor, or tensor
            By name of the probe, of shape (minibatch_size, n_steps or 1, size). The
            first axis has length 1 for values that all items share. Without probes,
            there is one output of size 0.
        """
        n_steps = current_steps() if n_steps is None else n_steps
        inputs = self.reader.repeated(self.reader.by_name(inputs, n_steps), n_steps)
        items, n_steps = self.reader.extent(inputs, n_steps)
        training = self.engine.settings.is_training(training)
        clock = self._state.clock(items, training)
        params = tuple(
            tf.convert_to_tensor(weight) for weight in self.parameters.variables
        )
        before = tuple(self.learned.into(self._state.before(clock)))
        state, outputs = self.loop(params, before, inputs, clock, n_steps, training)
        # no time has passed if a function of the user's fails on the way
        with tf.control_dependencies([*state, *outputs]):
            self._state.after(before, state, n_steps)
            if self._learns:
                self.learned.update(state)
        for loss in self._state.losses(state):
            self.add_loss(loss)
        if not self.output_names:
            return {NOTHING: tf.zeros((items, n_steps, 0), self.engine.dtype)}
        return self._wrapped(list(outputs))

    def compute_output_shape(self, inputs_shape, n_steps: Length | None = None):
        """Return the shapes of outputs, in the form of outputs.

        Parameters
        ----------
        inputs_shape : dict of str to tuple, or list of tuple, or tuple
            In the form of inputs.
        n_steps : int, optional
            Number of steps to run; by default, the inputs tell.
        """
        shape = inputs_shape
        if isinstance(shape, Mapping):
            shape = tuple(shape.values())
        if isinstance(shape[0], list | tuple):
            shape = shape[0]
        items, length, _ = shape
        n_steps = length if n_steps is None else n_steps
        shapes = [
            (
                1 if self.engine.values.is_shared(signal) else items,
                self.engine.program.kept_of(probe).n_rows(n_steps),
                *shape,
            )
            for (probe, signal), shape in zip(
                self.engine.program.probes.items(), self._shapes, strict=True
            )
        ]
        return self._wrapped(shapes) or {NOTHING: (items, n_steps, 0)}

    def compute_output_spec(self, inputs, training=None, n_steps=None):
        """Describe the outputs without running anything."""
        del training
        inputs = self.reader.by_name(inputs, n_steps)
        shapes = self.compute_output_shape(
            {k: x.shape for k, x in inputs.items()}, n_steps
        )
        dtype = self.engine.dtype.name
        if self._unwraps:
            return keras.KerasTensor(shapes, dtype)
        return {name: keras.KerasTensor(shape, dtype) for name, shape in shapes.items()}

    def expect(self, n_steps: int, n_calls: int) -> bool:
        """Get ready for inference; tell whether that needs to be traced again.

        Parameters
        ----------
        n_steps, n_calls : int
            Number of steps of each call, and number of such calls.
        """
        return self.loop.expect(
            n_steps, n_calls, self.engine.settings.is_training(False)
        )

    @property
    def keep(self) -> tf.Variable:
        """(bool) Whether calls keep the state after their last step."""
        return self._state.keep

    @property
    def draws(self) -> tf.Variable:
        """(int) Number of calls that have drawn random numbers for training."""
        return self._state.draws

    def load(self, values: Values) -> None:
        """Take the state of a simulation, and the values that learning rules change."""
        self._state.load(values)
        self.learned.load(values.state)

    def with_parameters(self, values: Values) -> Values:
        """Return the state of a simulation with the parameters of the layer."""
        return replace(self.with_learned(values), params=self.parameters.blocks())

    def with_learned(self, values: Values) -> Values:
        """Return the values of a simulation, with those that this layer has learned."""
        if self.learned.n_items != self.engine.values.n_items(values):
            return values
        return replace(values, state=self.learned.into(values.state))

    def with_state(self, values: Values) -> Values:
        """Return the parameters of a simulation with the state of the layer.

        Copying the parameters of the layer would take time, and whoever needs them asks
        for them.
        """
        state = self._state.values()
        return self.with_learned(replace(state, params=values.params))

    def state_values(self) -> Values:
        """Return the current state, without parameters."""
        return self._state.values()

    def values(self) -> Values:
        """Return the current parameters and state, for the engine."""
        return self.with_parameters(self._state.values())

    def reseed(self, seed: int) -> None:
        """Change the seed of all random numbers."""
        self._state.reseed(seed)

    def reset_parameters(self) -> None:
        """Put parameters, and the weights of whole models, back to their first values.

        The weights of single layers stay. Only ``set_weights`` and loading replace
        them.
        """
        self.parameters.reset()
        for model, weights in self._initial_models:
            model.set_weights(weights)

    def named_variables(self) -> dict[str, VariableSlice]:
        """Return all parameters, and then all weights of layers, by name.

        Parameters that learning rules change are not included. In the engine, they are
        state.
        """
        return self.parameters.slices() | layer_weights(self.keras_layers)

    def save_own_variables(self, store: MutableMapping[str, Any]) -> None:
        """Store the weights, for Keras to save them.

        Parameters
        ----------
        store : mapping of str to variable
            The weights are put into it.

        Raises
        ------
        SimulationError
            If a value that a learning rule has changed does not fit into a weight.
        """
        if self.learned.unsaved:
            raise SimulationError(
                f"Layer '{self.name}': expected what learning rules have changed to be "
                "the same for all items of a minibatch that replicas share (got "
                f"different values of {listing(self.learned.unsaved)}). Save it with "
                "Simulator.save_params."
            )
        super().save_own_variables(store)

    def load_own_variables(self, store: Mapping[str, Any]) -> None:
        """Load the weights from a file of Keras.

        Parameters
        ----------
        store : mapping of str to ndarray
            The values that `save_own_variables` has stored. Values that learning rules
            have changed may have another minibatch size, if all items have the same.

        Raises
        ------
        ValueError
            If the weights do not fit. No weight has been changed in this case.
        """
        values = {key: np.asarray(store[key]) for key in list(store.keys())}
        variables = (*self.parameters.variables, *self.learned.variables)
        own = {str(i): v for i, v in enumerate(variables)}
        if set(values) == set(own):
            keys = list(own)[len(self.parameters.variables) :]
            values |= self.learned.adapted(values, keys)
            _check_shapes(self, values, own)
        super().load_own_variables(values)
        self.learned.unsaved = ()

    def get_config(self):
        """Raise NotImplementedError, because networks have no configuration."""
        raise NotImplementedError(
            f"Layer '{self.name}': expected something that can be saved by name (got a "
            "network). Save its weights with Simulator.save_params or save_weights; or "
            "use a nengo_dl.NengoLayer of a registered function that makes the network."
        )

    def _wrapped(self, outputs: list):
        if self._unwraps:
            return outputs[0]
        return dict(zip(self.output_names.values(), outputs, strict=True))


def _check_shapes(
    layer: keras.Layer,
    values: Mapping[str, np.ndarray],
    variables: Mapping[str, keras.Variable],
) -> None:
    for key, variable in variables.items():
        if values[key].shape != tuple(variable.shape):
            raise ValidationError(
                f"expected '{variable.name}' of shape {tuple(variable.shape)} (got "
                f"{values[key].shape}). Make the layer of the network that was "
                "saved. None of its weights has been loaded.",
                attr="load_weights",
                obj=layer,
            )
