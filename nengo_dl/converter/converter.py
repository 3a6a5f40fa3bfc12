"""`Converter`: from a Keras model to a Nengo network."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import keras
from nengo.synapses import Synapse

from nengo_dl.converter.activations import swaps_of
from nengo_dl.converter.calibration import Goal, calibrate
from nengo_dl.converter.check_methods import CheckMethods
from nengo_dl.converter.export_methods import ExportMethods
from nengo_dl.converter.keras_conversion import convert, warn_of_options
from nengo_dl.converter.keras_source import input_specs
from nengo_dl.converter.layer_converter import LayerConverter, rule_of
from nengo_dl.converter.libraries import as_keras
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
from nengo_dl.converter.rules import Registry, Rule, add_rule, find_rule
from nengo_dl.converter.run_methods import RunMethods
from nengo_dl.converter.summary import summary
from nengo_dl.converter.tuning import Tuning

# Options that are attributes of the converter, too
ATTRIBUTES = (
    *("model", "allow_fallback", "inference_only", "max_to_avg_pool"),
    *("split_shared_weights", "swap_activations", "scale_firing_rates"),
    *("temporal_model", "output"),
)


class Converter(RunMethods, CheckMethods, ExportMethods):
    """Convert a Keras model to a Nengo network.

    Parameters
    ----------
    model : keras.Model or torch.nn.Module or onnx.ModelProto or str
        A functional or sequential model; or a module of PyTorch, or an ONNX model or
        the path of its file, of which `nengo_dl.torch.to_keras` or
        `nengo_dl.onnx.to_keras` makes one.
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
        their first spike. It is the default where neurons spike and there is such data.
    synapse : Synapse or float or "auto", optional
        On all connections that start at neurons, and on the probes of neurons. "auto",
        together with automatic rates, chooses what makes the average output right
        soonest: nothing, for rectified linear neurons, else nothing, 2 or 5 ms. It is
        the default where rates are automatic by default.
    temporal_model : bool
        Whether the axis after the minibatch is time. All layers must then work on each
        time step for itself, by nature or in a ``TimeDistributed``.
    calibration_data : array_like, or list or dict of array_like, optional
        Typical inputs of the model, of the shape that Keras takes, without labels. For
        spiking neurons, it is all that is needed: rates, channels and the synapse
        follow from it, unless ``scale_firing_rates`` says otherwise.
    percentile : float
        Which of the activations of a population on that data is mapped to
        ``target_rate``. Less than 100 keeps outliers from slowing down all others.
    target_rate : float
        A firing rate, in Hz. More spikes are more exact, sooner, and cost more. With
        steps of 1 ms, 2000 is two spikes per step for the largest activations, which
        `nengo_dl.IntegrateAndFire` can emit. LIF neurons get as much of that as their
        refractory period allows, and are tuned to 32 steps.
    per_channel : bool, optional
        Whether the percentile is that of each channel (the last axis of a layer's
        output, or the first with ``data_format="channels_first"``) instead of that of
        the whole population. Small channels become exact sooner, with more spikes.
        Where spikes differ in height, ``layers`` has a node that multiplies them. The
        default is True where rates are automatic by default, else False.
    output : "average" or "each_step"
        From what outputs such as a softmax or a sigmoid are computed in a spiking
        network: from the mean of what has arrived in all steps so far, or from each
        step. Outputs without an activation are what arrives in each step in any case.
    tunings : sequence of `nengo_dl.converter.calibration.Tuning`, optional
        Those of another converter of the same model, in place of calibration.
    example_inputs : tensor or tuple of tensor, optional
        Typical inputs of a PyTorch module, of shape (minibatch, ...), which needs
        them to be read.

    Attributes
    ----------
    model : keras.Model
        The functional model that was converted, or that a module became.
    net : Network
        The result. ``net.inputs``, ``net.outputs``, ``net.layers`` are as below;
        ``net.layer_map`` has a list of the objects of each layer's calls.
    inputs : `ObjectMap`
        From input tensors of the model, names or numbers to nodes.
    outputs : `ObjectMap`
        From output tensors of the model, names or numbers to probes, in the order of
        ``net.probes``.
    layers : `ObjectMap`
        From layers, their output tensors, names or numbers (those of ``model.layers``)
        to the objects that hold the output.
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
        out rates when others were swapped or cannot be scaled, and spiking neurons of
        which nothing says how fast they should fire.

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
       print(converter.verify(), converter.layers["hidden"])

    .. testoutput::

       True <Neurons of <Ensemble 'hidden'>>
    """

    converters: Registry = REGISTRY
    tunings: tuple[Tuning, ...] | None

    def __init__(
        self,
        model: Any,
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
        per_channel: bool | None = None,
        output: str = "average",
        tunings: Sequence[Tuning] | None = None,
        example_inputs: Any = None,
    ):
        options = Options(
            **_models(model, example_inputs),
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
            has_data=calibration_data is not None,
        )
        if per_channel is None:
            per_channel = options.data_chooses
        self.tunings = None if tunings is None else tuple(tunings)
        goal = Goal(percentile, target_rate, per_channel)
        self._start(options.chosen(), calibration_data, goal)

    def _start(self, options: Options, calibration_data: Any, goal: Goal) -> None:
        self._options = options
        # they are attributes, too
        vars(self).update({name: vars(options)[name] for name in ATTRIBUTES})
        make = partial(convert, plan(options, self.converters))
        data, synapse = _calibration_data(options, calibration_data), options.synapse
        if data is not None and options.scale_firing_rates == "auto":
            self.tunings, synapse = calibrate(make, data, goal, synapse)
        conversion = make(self.tunings, synapse)
        RunMethods.__init__(self, conversion, data)
        CheckMethods.__init__(self, conversion)
        ExportMethods.__init__(self, conversion.net)
        self.synapse = synapse
        warn_of_options(conversion)
        self.inputs, self.outputs, self.layers = maps(conversion)

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
        return self.conversion.converters.get(id(layer)) or cls(layer, self._options)

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

    def __repr__(self) -> str:
        return summary(self.conversion)


def _models(model: Any, example_inputs: Any) -> dict[str, keras.Model]:
    """Return the Keras model that was passed or made, and its functional form."""
    passed = as_keras("Converter", model, example_inputs)
    return {"model": functional(passed), "passed": passed}


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
