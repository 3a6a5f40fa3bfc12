"""`wrap`: from a Keras model or a network to a Keras model that runs the network."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import nengo
from nengo.exceptions import ValidationError

from nengo_dl.arguments import whole
from nengo_dl.config import configure_settings
from nengo_dl.converter import Converter
from nengo_dl.converter.keras_graph import mask_of
from nengo_dl.errors import argument
from nengo_dl.keras_model.nengo_layer import NengoLayer
from nengo_dl.names import legal_name, unused_name
from nengo_dl.wrapped.ends import FromSignal, ToSignal, WithMask
from nengo_dl.wrapped.model import Origin, WrappedModel
from nengo_dl.wrapped.time import check_steps, chosen_reduce, configure, reductions

WHERE = "wrap"


@dataclass(frozen=True, eq=False)
class _Output:
    """An output of a model: its name, its shape without time, and how it is reduced."""

    name: str
    shape: tuple[int, ...]
    reduce: str | None


def wrap(
    model: keras.Model | Converter | nengo.Network | Callable[[], nengo.Network],
    n_steps: int | None = None,
    *,
    reduce: str | None = "auto",
    dt: float = 0.001,
    seed: int | None = None,
    settings: Mapping[str, Any] | None = None,
    **options: Any,
) -> WrappedModel:
    """Make a Keras model that runs a network on data without a time axis.

    Parameters
    ----------
    model : keras.Model or Converter or Network or callable
        A model to convert, a converter, a network, or a function without arguments that
        makes one. Models of functions can be saved if these are registered with
        `keras.saving.register_keras_serializable`.
    n_steps : int, optional
        For how many steps the network sees each item, which stays the same in all of
        them. Leave it out if data has an axis of time itself: for networks, and for
        models that are converted with ``temporal_model=True``.
    reduce : str or None
        What is left of the output over time: its "mean", the "last" step, "sum" or
        "max", or None for all steps. "auto" is the mean if there is a number of steps,
        and all steps if data has an axis of time.
    dt : float
        Length of a time step, in seconds.
    seed : int, optional
        Seed of all random numbers, as for `nengo_dl.NengoLayer`.
    settings : dict, optional
        Of the network, see `nengo_dl.configure_settings`. Networks that come from Keras
        models have ``training_mode="spiking"``, unless something else is set: ``fit``
        trains the spikes that ``predict`` computes.
    **options
        Further arguments of `nengo_dl.Converter`, for Keras models. With
        ``reduce="last"``, ``output`` is "each_step" by default.

    Returns
    -------
    wrapped : `nengo_dl.WrappedModel`
        Takes the data, labels, losses and metrics of the model. Its inputs and outputs
        have the names of the model's; those of a network have those of its input nodes
        and probes.

    Raises
    ------
    ValidationError
        If an argument is invalid, or missing.
    TypeError
        If there are options for the conversion, but no model to convert.

    Notes
    -----
    Outputs that are functions of spikes, such as a softmax, are computed from the mean
    of the spikes in all steps (see ``output`` of `nengo_dl.Converter`), and so their
    own last value is taken for ``reduce="mean"``.

    Examples
    --------
    .. testcode::

       model = keras.Sequential(
           [
               keras.Input((8, 8)),
               keras.layers.Flatten(),
               keras.layers.Dense(20, activation="relu"),
               keras.layers.Dense(3, activation="softmax"),
           ]
       )
       images = np.random.RandomState(0).uniform(size=(100, 8, 8))
       spiking = nengo_dl.wrap(
           model,
           n_steps=16,
           swap_activations={"relu": nengo_dl.IntegrateAndFire()},
           calibration_data=images,
       )
       spiking.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
       labels = spiking.predict(images, verbose=0).argmax(axis=-1)
       agree = labels == model.predict(images, verbose=0).argmax(axis=-1)
       print(agree.mean() > 0.9)

    .. testoutput::

       True
    """
    with argument("n_steps", wrap):
        n_steps = None if n_steps is None else whole(n_steps, 1)
    reduce = chosen_reduce(reduce, n_steps, WHERE)
    arguments: dict[str, Any] = {"n_steps": n_steps, "reduce": reduce, "dt": dt}
    arguments |= {"seed": seed, "settings": dict(settings or {})}
    if isinstance(model, keras.Model):
        if reduce == "last":
            options = {"output": "each_step", **options}
        return _of_converter(Converter(model, **options), model, arguments)
    if options:
        raise TypeError(
            f"wrap: expected options of a conversion for Keras models alone (got "
            f"{', '.join(options)}, and a {type(model).__name__}). Leave them out."
        )
    if isinstance(model, Converter):
        return _of_converter(model, model.conversion.plan.options.model, arguments)
    return _of_network(model, arguments)


def _of_converter(
    converter: Converter, source: keras.Model, arguments: dict[str, Any]
) -> WrappedModel:
    """Wrap the network of a Keras model."""
    conversion, network = converter.conversion, converter.net
    model = conversion.plan.options.model
    n_steps = arguments["n_steps"]
    check_steps(n_steps, conversion.source.n_outer_axes > 1, wrap)
    configure(network, arguments["settings"])
    layer = _layer(network, arguments, conversion.inputs, conversion.outputs)
    inputs = keras.tree.map_structure(
        lambda x: keras.Input(x.shape[1:], dtype=x.dtype, name=x.name),
        model.input,
    )
    taken = [x.name for x in keras.tree.flatten(inputs)]
    outputs = []
    kept = reductions(conversion, arguments["reduce"])
    for spec, reduce in zip(conversion.source.outputs, kept, strict=True):
        name = unused_name(spec.name, taken)
        outputs.append(_Output(name, spec.signal_shape, reduce))
        taken.append(name)
    flat = keras.tree.flatten(inputs)
    found = _connected(layer, flat, outputs, n_steps, _masks(model, flat))
    return WrappedModel(
        inputs,
        keras.tree.pack_sequence_as(model.output, found),
        name=source.name,
        origin=Origin(source, converter, network, layer, arguments),
    )


def _of_network(
    source: nengo.Network | Callable[[], nengo.Network], arguments: dict[str, Any]
) -> WrappedModel:
    """Wrap a network; a single input or output is a tensor, several are a dict."""
    is_network = isinstance(source, nengo.Network)
    network: Any = source() if callable(source) and not is_network else source
    if isinstance(network, nengo.Network):  # the layer raises errors otherwise
        with network:
            configure_settings(**arguments["settings"])
    layer = _layer(network, arguments)
    n_steps, reduce = arguments["n_steps"], arguments["reduce"]
    nodes, probes = layer.input_names, layer.output_names
    if not nodes:
        raise ValidationError(
            "expected a network with input (got no node with a constant output). Add "
            "a nengo.Node(np.zeros(size)).",
            attr="model",
            obj=WHERE,
        )
    shapes = {
        name: (node.size_out,) if n_steps else (None, node.size_out)
        for node, name in nodes.items()
    }
    inputs = {name: keras.Input(shape, name=name) for name, shape in shapes.items()}
    taken = list(inputs)
    outputs = [
        _Output(unused_name(name, taken), (probe.size_in,), reduce)
        for probe, name in probes.items()
    ]
    found = _connected(layer, list(inputs.values()), outputs, n_steps)
    named = dict(zip(probes.values(), found, strict=True))
    return WrappedModel(
        inputs if len(inputs) > 1 else inputs.popitem()[1],
        named if len(named) > 1 else found[0],
        name=None if network.label is None else legal_name(network.label) or None,
        origin=Origin(source, None, network, layer, arguments),
    )


def _masks(
    model: keras.Model, inputs: Sequence[keras.KerasTensor]
) -> list[keras.KerasTensor | None]:
    """Return the masks that the outputs of a Keras model have for such inputs."""
    masks = [mask_of(output) for output in keras.tree.flatten(model.output)]
    known = [mask for mask in masks if mask is not None]
    if not known:
        return masks
    computed = iter(keras.Model(model.inputs, known)(list(inputs)))
    return [None if mask is None else next(computed) for mask in masks]


def _layer(
    network: nengo.Network | Callable[[], nengo.Network],
    arguments: Mapping[str, Any],
    nodes: Sequence[nengo.Node] | None = None,
    probes: Sequence[nengo.Probe] | None = None,
) -> NengoLayer:
    return NengoLayer(
        network,
        arguments["dt"],
        arguments["seed"],
        inputs=nodes,
        outputs=probes,
        name="nengo_network",
    )


def _connected(
    layer: NengoLayer,
    inputs: Sequence[keras.KerasTensor],
    outputs: Sequence[_Output],
    n_steps: int | None,
    masks: Sequence[keras.KerasTensor | None] = (),
) -> list[keras.KerasTensor]:
    """Return the outputs of a network, for inputs in the order of its nodes.

    Masks say which steps of the outputs count.
    """
    dtype = layer.compute_dtype
    to_signal = ToSignal(has_time=n_steps is None, dtype=dtype)
    signals = [to_signal(x) for x in inputs]
    steps = {} if n_steps is None else {"n_steps": n_steps}
    results = layer(signals if len(signals) > 1 else signals[0], **steps)
    names = layer.output_names.values()
    results = [results[k] for k in names] if len(names) > 1 else [results]
    for i, mask in enumerate(masks):
        if mask is not None:
            results[i] = WithMask(dtype=dtype)([results[i], mask])
    return [
        FromSignal(each.shape, each.reduce, name=each.name, dtype=dtype)(result)
        for each, result in zip(outputs, results, strict=True)
    ]
