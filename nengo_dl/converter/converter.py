"""`Converter`: from a Keras model to a Nengo network."""

from collections.abc import Callable, Iterable, Mapping
from functools import cached_property, partial
from typing import Any

import keras
from nengo.synapses import Synapse

from nengo_dl.converter.activations import swaps_of
from nengo_dl.converter.calibration import Goal, calibrate, errors, steps_needed
from nengo_dl.converter.calibration.calibration import together
from nengo_dl.converter.export_methods import ExportMethods
from nengo_dl.converter.keras_conversion import convert, warn_of_options
from nengo_dl.converter.keras_source import input_specs
from nengo_dl.converter.layer_converter import LayerConverter, rule_of
from nengo_dl.converter.maps import maps
from nengo_dl.converter.objects import set_trainable
from nengo_dl.converter.options import Options, functional
from nengo_dl.converter.plan import plan
from nengo_dl.converter.presentation import Arrays, checked_inputs
from nengo_dl.converter.registry import (
    ANY_LAYER,
    REGISTRY,
    checked_key,
    keys_of,
    name_of,
)
from nengo_dl.converter.report import DEVICES, Device, Report
from nengo_dl.converter.report.measure import measure
from nengo_dl.converter.rules import Registry, Rule, add_rule, find_rule
from nengo_dl.converter.tuning import Tuning
from nengo_dl.converter.verify import verify


class Converter(ExportMethods):
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
        model. Names mean activations with any parameters, neuron types what is equal.
    scale_firing_rates : float or dict or "auto", optional
        Factor on the firing rates of all neurons, or of the layers that are the keys of
        a dict. The amplitude of the spikes is divided by it, so that the output stays
        the same, as far as the neurons are linear above their threshold. Weights and
        biases, and files of them, stay as they are. "auto" tunes each population by its
        activations on ``calibration_data``, and has spiking neurons start half-way to
        their first spike.
    synapse : Synapse or float or "auto", optional
        On all connections that start at neurons, and on the probes of neurons. "auto",
        together with automatic rates, chooses what makes the average output right
        soonest: nothing, for rectified linear neurons, else nothing, 2 or 5 ms.
    temporal_model : bool
        Whether the axis after the minibatch is time. All layers must then work on each
        time step for itself, by nature or in a ``TimeDistributed``.
    calibration_data : array_like or list of array_like, optional
        Typical inputs of the model, of the shape that Keras takes, without labels;
        needed by "auto" and `recommended_steps`.
    percentile : float
        Which of the activations of a population on that data is mapped to
        ``target_rate``. Less than 100 keeps outliers from slowing down all others.
    target_rate : float
        A firing rate, in Hz. More spikes are more exact, sooner, and cost more. With
        steps of 1 ms, 2000 is two spikes per step for the largest activations, which
        `nengo_dl.IntegrateAndFire` can emit. LIF neurons get as much of that as their
        refractory period allows, and are tuned to 32 steps.
    per_channel : bool
        Whether the percentile is that of each channel (the last axis of a layer's
        output, or the first with ``data_format="channels_first"``) instead of that of
        the whole population. Small channels become exact sooner, with more spikes.
        Where spikes differ in height, ``layers`` has a node that multiplies them.
    output : "average" or "each_step"
        From what outputs such as a softmax or a sigmoid are computed in a spiking
        network: from the mean of what has arrived in all steps so far, or from each
        step. Outputs without an activation are what arrives in each step in any case.

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
        From output tensors of the model to probes, in the order of ``net.probes``.
    layers : `ObjectMap`
        From layers, or their output tensors, to the objects that hold the output.
    synapse : Synapse or float or None
        Passed, or chosen.
    tunings : tuple of `nengo_dl.converter.calibration.Tuning` or None
        Gain, bias and amplitude of each population, if they come from data.
    conversion : Conversion
        The network, and which part of it was made of which call of a layer.

    Raises
    ------
    TypeError
        If ``model`` is no functional or sequential model; if layers or activations have
        no native form and ``allow_fallback`` is False.
    ValueError
        If shapes are unknown; if layers with weights are called several times; if one
        activation is swapped for two.

    Warns
    -----
    UserWarning
        For each fallback, activations to swap that do not occur, neurons that still put
        out rates when others were swapped or cannot be scaled, and sequential models.

    Notes
    -----
    Signals are flattened tensors, in row-major order. Input nodes and probes have no
    labels: their keys are "node", "node_1", ... and "probe", "probe_1", ..., in the
    order of the model's inputs and outputs.

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

    converters: Registry = REGISTRY

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
        output: str = "average",
    ):
        self.options = Options(
            model=functional(model),
            allow_fallback=allow_fallback,
            inference_only=inference_only,
            max_to_avg_pool=max_to_avg_pool,
            split_shared_weights=split_shared_weights,
            swaps=swaps_of(swap_activations),  # which checks them
            swap_activations=dict(swap_activations or {}),
            scale_firing_rates=scale_firing_rates,
            synapse=synapse,
            temporal_model=temporal_model,
            output=output,
        )
        vars(self).update(vars(self.options))  # they are attributes, too
        self._convert = partial(convert, plan(self.options, self.converters))
        self._data = _calibration_data(self.options, calibration_data)
        self._tune(Goal(percentile, target_rate, per_channel), synapse)
        warn_of_options(self.conversion)
        self.inputs, self.outputs, self.layers = maps(self.conversion)

    def _tune(self, goal: Goal, synapse: Synapse | float | str | None) -> None:
        self.tunings: tuple[Tuning, ...] | None = None
        if self._data is not None and self.options.scale_firing_rates == "auto":
            self.tunings, synapse = calibrate(self._convert, self._data, goal, synapse)
        self.conversion = self._convert(self.tunings, synapse)
        self.synapse, self.net = synapse, self.conversion.net

    @classmethod
    def register(cls, layer_type: type | Callable | None, **fields) -> Callable:
        """Register the decorated function or class for a Keras layer type or operator.

        Parameters
        ----------
        layer_type : type or callable
            Of layers, matched exactly, or of ``keras.ops``; None for all others.
        **fields
            More fields of the `nengo_dl.converter.rules.Rule`.

        Notes
        -----
        A function is called as ``convert(call, build)``, with a
        `nengo_dl.converter.LayerCall` and a `nengo_dl.converter.Build`. It returns the
        object that holds the layer's output. A class is a subclass of
        `nengo_dl.converter.LayerConverter`.
        """
        key = checked_key(layer_type)

        def decorate(converter):
            make = rule_of if isinstance(converter, type) else Rule
            add_rule(cls.converters, key, name_of(key), make(converter, **fields))
            return converter

        return decorate

    def get_converter(self, layer: keras.Layer) -> LayerConverter:
        """Return the `LayerConverter` of a layer, which all its calls share."""
        rule = find_rule(self.converters, (*keys_of(layer), ANY_LAYER))
        cls = (rule and rule.converter_type) or LayerConverter
        return self.conversion.converters.get(id(layer)) or cls(layer, self.options)

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
        return verify(self.conversion, training, inputs, atol, rtol)

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

        What a simulator has learned is used after ``sim.freeze_params(converter.net)``.

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
        """
        return measure(self.conversion, x, y, n_steps, dt, minibatch_size, devices)

    def set_trainable(self, obj: Any, trainable: bool) -> None:
        """Set whether training changes a Nengo object.

        Parameters
        ----------
        obj : Ensemble or Neurons or Connection
            Other objects have nothing to train, and stay as they are.
        trainable : bool
            Whether it is trained.
        """
        set_trainable(self.net, obj, trainable)

    @cached_property
    def recommended_steps(self) -> int | None:
        """(int or None) For how many steps to present an input.

        After so many, the error of the average output (its root mean square over items
        of ``calibration_data``) has come to stay below 5 % of the root mean square of
        the model's output. None if it has not after 128 steps.
        """
        if self._data is None:
            raise ValueError(
                "Converter.recommended_steps: expected calibration_data (got none). "
                "Pass typical inputs of the model to the Converter."
            )
        variants = together(self._convert, [(self.tunings, self.synapse)])
        (found,) = errors(*variants, self._data)
        return steps_needed(found)


def _calibration_data(options: Options, data: Any) -> Arrays | None:
    """Return typical inputs of the model, if they are given or needed."""
    where = "Converter.calibration_data"
    if data is not None:
        return checked_inputs(where, input_specs(options), data)
    if options.scale_firing_rates == "auto":
        raise ValueError(
            f'{where}: expected typical inputs of the model for "auto" (got none). '
            "Pass some of the data that it was trained on; labels are not needed."
        )
    return None
