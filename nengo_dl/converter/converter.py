"""`Converter`: from a Keras model to a Nengo network."""

import warnings
from collections.abc import Callable, Iterable, Mapping
from copy import copy
from functools import cached_property
from numbers import Real
from typing import Any

import keras
import nengo
import numpy as np
from nengo.ensemble import Neurons
from nengo.synapses import Synapse

from nengo_dl.biases import set_biases
from nengo_dl.config import configure_settings
from nengo_dl.converter import plan, registry
from nengo_dl.converter.arguments import (
    check_flags,
    check_mapping,
    check_positive,
    functional,
    input_layers,
    scales,
)
from nengo_dl.converter.build import Build, one
from nengo_dl.converter.calibration import (
    Calibration,
    Tuning,
    check,
    errors,
    scaling,
    steps_needed,
)
from nengo_dl.converter.layer_converter import LayerConverter, entry_of
from nengo_dl.converter.maps import ObjectMap
from nengo_dl.converter.report import DEVICES, Device, Report
from nengo_dl.converter.report.arguments import check as check_report
from nengo_dl.converter.report.measure import measure
from nengo_dl.converter.swaps import Swaps, warn_of_rates
from nengo_dl.converter.verify import verify
from nengo_dl.silence import warnings_ignored


class Converter:
    """Convert a Keras model to a Nengo network.

    Parameters
    ----------
    model : keras.Model
        A functional or sequential model.
    allow_fallback : bool
        Whether layers and activations without a native form become a `TensorNode`, with
        a warning for each. False: they raise an error.
    inference_only : bool
        Whether to convert natively what only infers, but does not train, as in Keras:
        batch normalisation with its averages, dropout as nothing, regularised layers.
    max_to_avg_pool : bool
        Whether maxima over windows become averages.
    split_shared_weights : bool
        Whether each call of a layer with weights gets weights of its own, with the same
        values; otherwise a second call is an error.
    swap_activations : dict, optional
        From activations to what takes their place: functions, their names, and neuron
        types. All names of an activation mean the same, in arguments ``activation`` and
        as layers: ``"relu"``, ``tf.nn.relu``, ``keras.activations.relu``,
        ``keras.ops.relu`` and ``nengo.RectifiedLinear()`` are every rectifier of the
        model. A name means the activation with any parameters, such as the slope of a
        leaky rectifier; a neuron type means what is equal to it.
    scale_firing_rates : float or dict or "auto", optional
        Factor on the firing rates of all neurons, or of the layers that are the keys of
        a dict. The amplitude of the spikes is divided by it, so that the output stays
        the same, as far as the neurons are linear above their threshold. Weights and
        biases stay as they are: a file of parameters that is saved at one scale can be
        loaded at another. "auto" tunes each population of neurons by its activations on
        ``calibration_data``, and has spiking neurons start half-way to their first
        spike.
    synapse : Synapse or float or "auto", optional
        On all connections that start at neurons, and on the probes of neurons. "auto",
        together with automatic rates, chooses what makes the average output right
        soonest: nothing, for rectified linear neurons, else nothing, 2 or 5 ms.
    temporal_model : bool
        Whether the axis after the minibatch is time. All layers must then work on each
        time step for itself, by nature or in a ``TimeDistributed``.
    calibration_data : array_like or list of array_like, optional
        Typical inputs of the model, of the shape that Keras takes, with a minibatch
        axis; needed by "auto" and `recommended_steps`. Labels are not needed.
    percentile : float
        Which of the activations of a population on that data is mapped to
        ``target_rate``. Less than 100 keeps outliers from slowing down all others.
    target_rate : float
        A firing rate, in Hz. More spikes are more exact, sooner, and cost more. With
        steps of 1 ms, 2000 is two spikes per step for the largest activations, which
        `nengo_dl.IntegrateAndFire` can emit. LIF neurons get less than that, as far as
        their refractory period demands it, and the gain, bias and amplitude with which
        their average output over 32 steps is nearest to a rectified line.
    per_channel : bool
        Whether the percentile is that of each channel (the last axis of a layer's
        output, or the first with ``data_format="channels_first"``) instead of that of
        the whole population. Small channels become exact sooner, with more spikes.
        ``layers`` then has, for populations whose spikes differ in height, a node that
        multiplies them with it.

    Attributes
    ----------
    model : keras.Model
        The functional model that was converted.
    net : Network
        The result. ``net.inputs``, ``net.outputs``, ``net.layers`` are as below;
        ``net.layer_map`` has a list of the objects of each layer's calls.
    inputs : `ObjectMap`
        From input tensors (or layers) of the model to nodes.
    outputs : `ObjectMap`
        From output tensors of the model to probes. There is a probe for each output, in
        the model's order (``net.probes``); a tensor that is several outputs leads to
        the first.
    layers : `ObjectMap`
        From layers, or their output tensors, to the objects that hold the output: a
        Node, Neurons or a TensorNode.
    synapse : Synapse or float or None
        What was passed, or chosen.
    tunings : tuple of `nengo_dl.converter.calibration.Tuning` or None
        Gain, bias and amplitude of each population, if they come from data.

    Raises
    ------
    TypeError
        If ``model`` is no functional or sequential model; if layers or activations have
        no native form and ``allow_fallback`` is False.
    ValueError
        If shapes are unknown; if layers with weights are called several times and
        ``split_shared_weights`` is False; if an activation is to be swapped for two
        different ones.

    Warns
    -----
    UserWarning
        For each fallback; for activations to swap that do not occur, and for neurons
        that still put out rates when others were swapped; for neurons whose rates
        cannot be scaled; and for a sequential model, which becomes the functional one
        in `model`.

    Notes
    -----
    Signals are flattened tensors, in row-major order.

    Input nodes and probes have no labels. The string keys of a simulator's inputs are
    therefore "node", "node_1", ... and those of its outputs "probe", "probe_1", ..., in
    the order of the model's inputs and outputs, whatever its layers are called.

    Examples
    --------
    .. testcode::

       inputs = keras.Input((4,))
       hidden = keras.layers.Dense(8, activation="relu", name="hidden")(inputs)
       model = keras.Model(inputs, keras.layers.Dense(2)(hidden))

       converter = nengo_dl.Converter(model, allow_fallback=False)
       print(converter.verify(), converter.layers[hidden])

    .. testoutput::

       True <Neurons of <Ensemble 'hidden'>>
    """

    converters = registry.REGISTRY

    def __init__(
        self,
        model: keras.Model,
        allow_fallback: bool = True,
        inference_only: bool = False,
        max_to_avg_pool: bool = False,
        split_shared_weights: bool = False,
        swap_activations: Mapping | None = None,
        scale_firing_rates: float | Mapping | str | None = None,
        synapse: Synapse | float | str | None = None,
        temporal_model: bool = False,
        *,
        calibration_data: Any = None,
        percentile: float = 99.9,
        target_rate: float = 2000.0,
        per_channel: bool = False,
    ):
        check_flags(
            allow_fallback=allow_fallback,
            inference_only=inference_only,
            max_to_avg_pool=max_to_avg_pool,
            split_shared_weights=split_shared_weights,
            temporal_model=temporal_model,
        )
        check_mapping("swap_activations", swap_activations)
        self.allow_fallback = allow_fallback
        self.inference_only = inference_only
        self.max_to_avg_pool = max_to_avg_pool
        self.split_shared_weights = split_shared_weights
        self.swap_activations = dict(swap_activations or {})
        self.scale_firing_rates = scale_firing_rates
        self.synapse = synapse
        self.temporal_model = temporal_model
        self.model = functional(model)
        self.swaps = Swaps(swap_activations)
        self._scales = scales(scale_firing_rates)
        self.tunings: tuple[Tuning, ...] | None = None
        self._data = None
        if calibration_data is not None or "auto" in (scale_firing_rates, synapse):
            self._data = check(self.model, calibration_data, temporal_model)
        if scale_firing_rates == "auto":
            self._calibrate(percentile, target_rate, per_channel)
        elif synapse == "auto":
            raise ValueError(
                'Converter.synapse: expected "auto" together with '
                f'scale_firing_rates="auto" (got {scale_firing_rates!r}). Set both, or '
                "a synapse."
            )
        self._build()

    def _build(self):
        """Make the network."""
        self.populations: list[Neurons] = []
        self.channels: list[np.ndarray] = []
        self.heights: dict[Neurons, nengo.Node] = {}
        self.swapped: set[Neurons] = set()
        self.biases: dict[Neurons, tuple] = {}
        self.spiking: set[Any] = set()
        self._converters: dict[int, LayerConverter] = {}
        self._copies: dict[int, Any] = {}
        self._one = None
        self.steps = steps = plan.plan(self.model, self)
        self.converted: dict[plan.Step, list] = {}  # in order, and what each made
        self.inputs = ObjectMap("Converter.inputs")
        self.outputs = ObjectMap("Converter.outputs")
        self.layers = ObjectMap("Converter.layers")
        self.layer_map: dict[Any, list] = {}
        self.net = nengo.Network(label=self.model.name)
        with self.net:
            configure_settings(trainable=None)
            if self.inference_only:
                configure_settings(inference_only=True)
            self._convert(steps)
        for neurons, conns in self.biases.items():
            set_biases(self.net, neurons.ensemble, conns)
        self.swaps.warn_of_unused()
        warn_of_rates(self.populations, self.swapped)
        self._check_scales(steps)
        self.net.inputs, self.net.outputs = self.inputs, self.outputs
        self.net.layers, self.net.layer_map = self.layers, self.layer_map

    @classmethod
    def register(cls, layer_type: type | Callable | None, **fields) -> Callable:
        """Register the decorated function or class for a Keras layer type or operator.

        Parameters
        ----------
        layer_type : type or callable
            Of layers, matched exactly, or a function of ``keras.ops``; None is for all
            that have no converter.
        **fields
            For a function: fields of `nengo_dl.converter.registry.Entry`.

        Notes
        -----
        A function is called as ``convert(call, build)``, with a
        `nengo_dl.converter.LayerCall` and a `nengo_dl.converter.Build`. It returns the
        object that holds the layer's output. A class is a subclass of
        `nengo_dl.converter.LayerConverter`.

        Examples
        --------
        .. testcode::

           class Double(keras.layers.Layer):
               def call(self, x):
                   return 2 * x


           @nengo_dl.Converter.register(Double)
           def convert_double(call, build):
               node = build.units()
               build.connect(node, transform=2)
               return node


           inputs = keras.Input((3,))
           model = keras.Model(inputs, Double()(inputs))
           print(nengo_dl.Converter(model, allow_fallback=False).verify())

        .. testoutput::

           True
        """

        key = registry.checked(layer_type)

        def decorate(converter):
            if isinstance(converter, type):
                entry = entry_of(converter, **fields)
            else:
                entry = registry.Entry(converter, **fields)
            cls.converters.add(key, entry)
            return converter

        return decorate

    def get_converter(self, layer: keras.Layer) -> LayerConverter:
        """Return the `LayerConverter` of a layer, which all its calls share."""
        entry = self.converters.find(layer) or self.converters[registry.ANY_LAYER]
        if id(layer) not in self._converters:
            cls = entry.converter_type or LayerConverter
            self._converters[id(layer)] = cls(layer, self)
        return self._converters[id(layer)]

    def verify(
        self,
        training: bool = False,
        inputs: Any = None,
        atol: float = 1e-8,
        rtol: float = 1e-5,
    ) -> bool:
        """Check that the network computes the same as the model.

        Parameters
        ----------
        training : bool
            Whether to compare after three steps of training; the model gets its
            weights back afterwards.
        inputs : list of array_like, optional
            One for each input of the model, with a minibatch axis; by default two items
            of ones (in a temporal model, of 10 time steps if it does not say how many).
        atol, rtol : float
            Largest difference: ``atol + rtol * abs(output of Keras)``.

        Returns
        -------
        is_equal : bool
            True.

        Raises
        ------
        ValueError
            If outputs differ, or the numbers of trainable parameters.
        """
        return verify(self, training, inputs, atol, rtol)

    def report(
        self,
        x: Any,
        y: Any = None,
        n_steps: int | None = None,
        *,
        dt: float = 0.001,
        minibatch_size: int = 32,
        devices: Iterable[Device] = DEVICES,
    ) -> Report:
        """Run the network and the model on data, and report what it does and costs.

        Parameters
        ----------
        x : array_like or list of array_like
            One for each input of the model, of the shape that Keras takes, with a
            minibatch axis. In a network without an axis of time, each item is presented
            for ``n_steps`` steps.
        y : array_like or list of array_like, optional
            Labels, for each output of the model: numbers of classes or one-hot vectors,
            one for each item. None for outputs without labels.
        n_steps : int, optional
            How many steps each item takes, by default 32 (see `recommended_steps`).
            With ``temporal_model=True``, x says it.
        dt : float
            Length of a step, in seconds.
        minibatch_size : int
            How many items are run side by side. Memory grows with it, and not with the
            number of items or steps.
        devices : iterable of `nengo_dl.converter.report.Device`
            What energies are estimated for.

        Returns
        -------
        report : `nengo_dl.converter.report.Report`

        Raises
        ------
        ValueError
            If data does not fit the model, or a layer puts out NaN.

        Notes
        -----
        The network is run as it is in `net`. What a simulator has learned gets there by
        ``sim.freeze_params(converter.net)``.
        """
        data = check_report(self, x, y, n_steps)
        return measure(self, data, dt, minibatch_size, devices)

    def set_trainable(self, obj: Any, trainable: bool) -> None:
        """Set whether training changes a Nengo object.

        Parameters
        ----------
        obj : Ensemble or Neurons or Connection
            Other objects have nothing to train, and stay as they are.
        trainable : bool
            Whether it is trained.
        """
        if isinstance(obj, nengo.Ensemble | nengo.Connection | Neurons):
            self.net.config[obj].trainable = trainable

    @cached_property
    def recommended_steps(self) -> int | None:
        """(int or None) For how many steps to present an input.

        After so many, the error of the average output (its root mean square over items
        of ``calibration_data``) has come to stay below 5 % of the root mean square of
        the model's output. None if it has not after 128 steps. It is measured when it
        is first asked for: neither more data nor labels are needed.
        """
        if self._data is None:
            raise ValueError(
                "Converter.recommended_steps: expected calibration_data (got none). "
                "Pass typical inputs of the model to the Converter."
            )
        variant = self._variant(self.tunings, self.synapse)
        return steps_needed(errors(variant, self._data))

    @property
    def is_tuned(self) -> bool:
        """(bool) Whether firing rates have come from data."""
        return self.tunings is not None

    def next_tuning(self, layer):
        """Return how strongly the next population responds, which is one of a layer."""
        if self.tunings is not None:
            return self.tunings[len(self.populations)]
        factor = self._scales
        return scaling(factor if isinstance(factor, Real) else factor.get(id(layer), 1))

    def one(self):
        """Return the node that puts out 1, from which biases come."""
        if self._one is None:
            with self.net:
                self._one = one()
        return self._one

    def copied(self, layer, copy):
        """Return the copy of a layer, made by a function when it is first needed."""
        if id(layer) not in self._copies:
            self._copies[id(layer)] = copy(layer)
        return self._copies[id(layer)]

    def is_population(self, obj: Any) -> bool:
        """Whether an object is neurons, or the node that collects their output."""
        return isinstance(obj, Neurons) or obj in self.heights.values()

    def _calibrate(self, percentile, target_rate, per_channel):
        """Choose the tuning of each population, and the synapse."""
        check_positive("percentile", percentile, 100)
        check_positive("target_rate", target_rate)
        calibration = Calibration(
            self._variant, self._data, percentile, target_rate, per_channel
        )
        if self.synapse == "auto":
            self.synapse = calibration.synapse()
        self.tunings = calibration.tunings(self.synapse)

    def _variant(self, tunings, synapse):
        """Return a conversion that differs in tunings and synapse alone."""
        variant = copy(self)
        variant.tunings, variant.synapse = tunings, synapse
        with warnings_ignored(UserWarning):  # they come again
            variant._build()
        with variant.net:
            configure_settings(jit_compile=False)  # for few steps, compiling is longer
        return variant

    def _convert(self, steps):
        """Make all objects of the network."""
        objs = {}
        layers = input_layers(self.model)
        for tensor, layer in zip(self.model.inputs, layers, strict=True):
            size = int(np.prod(tensor.shape[2 if self.temporal_model else 1 :]))
            node = nengo.Node(np.zeros(size))
            objs[id(tensor)] = node
            self.inputs.add(tensor, layer, node)
            self.layers.add(tensor, layer, node)
        self._convert_steps(steps, objs)
        for tensor in self.model.outputs:
            obj = objs[id(tensor)]
            synapse = self.synapse if self.is_population(obj) else None
            probe = nengo.Probe(obj, synapse=synapse)
            if tensor not in self.outputs:
                self.outputs.add(tensor, None, probe)

    def _convert_steps(self, steps, objs):
        for step in steps:
            call = step.call
            outputs = (
                self._convert_nested(step, objs)
                if step.entry is None
                else self._convert_call(step, objs)
            )
            self.converted[step] = list(outputs)
            for layer in (call.layer, step.wrapper):
                if layer is not None:
                    self.layer_map.setdefault(layer, []).append(outputs)
            for tensor, obj in zip(call.outputs, outputs, strict=True):
                objs[id(tensor)] = obj
                self.layers.add(tensor, call.layer, obj)
                if step.wrapper is not None:
                    self.layers.add(tensor, step.wrapper, obj)

    def _convert_call(self, step, objs):
        build = Build(self, step.call, objs)
        result = step.entry.convert(step.call, build)
        outputs = result if isinstance(result, list | tuple) else [result]
        return [build.finish(obj) for obj in outputs]

    def _convert_nested(self, step, objs):
        model = step.call.layer
        inner = {
            id(tensor): objs[id(outer)]
            for tensor, outer in zip(model.inputs, step.call.inputs, strict=True)
        }
        with nengo.Network(label=model.name):
            self._convert_steps(step.inner, inner)
        return [inner[id(tensor)] for tensor in model.outputs]

    def _check_scales(self, steps):
        """Warn of layers whose rates are to be scaled, but that are not there."""
        if isinstance(self.scale_firing_rates, dict):
            known = {id(step.call.layer) for step in plan.flattened(steps)}
            for layer in self.scale_firing_rates:
                if id(layer) not in known:
                    warnings.warn(
                        "Converter.scale_firing_rates: expected layers of the model "
                        f"(got {layer!r}, which it does not have).",
                        stacklevel=3,
                    )
