"""Options that users leave out, and the warnings that tell them what to pass."""

import warnings

import keras
import nengo
import numpy as np
import pytest
from keras import layers as kl

import nengo_dl
from nengo_dl import Converter
from nengo_dl.converter.conversion import EachOf, OneOf
from tests.converter.cases import seeded

IF, LIF = {"relu": nengo_dl.IntegrateAndFire()}, {"relu": nengo.LIF()}
DATA = np.random.RandomState(0).uniform(size=(20, 6))


def dense_model(activation=None, n=3):
    inputs = keras.Input((6,))
    x = kl.Dense(8, activation="relu")(inputs)
    return seeded(keras.Model(inputs, kl.Dense(n, activation=activation)(x)))


def converter_of(model, **options):
    converter = Converter(model, **options)
    with converter.net:
        nengo_dl.configure_settings(jit_compile=False)
    return converter


def same(first, second):
    """Whether tunings are equal."""
    pairs = zip(first, second, strict=True)
    return all(
        np.array_equal(vars(a)[name], vars(b)[name])
        for a, b in pairs
        for name in ("gain", "bias", "amplitude")
    )


@pytest.mark.parametrize("swaps", [IF, LIF])
def test_data_alone_chooses_rates_of_channels_and_the_synapse(swaps):
    options = {"swap_activations": swaps, "calibration_data": DATA}
    found = Converter(dense_model(), **options)
    wanted = Converter(
        dense_model(),
        scale_firing_rates="auto",
        per_channel=True,
        synapse="auto",
        **options,
    )
    assert found.scale_firing_rates == "auto"
    assert found.synapse == wanted.synapse
    assert same(found.tunings, wanted.tunings)
    # what is passed stays
    chosen = Converter(dense_model(), synapse=0.003, per_channel=False, **options)
    assert chosen.synapse == 0.003
    auto = Converter(dense_model(), scale_firing_rates="auto", synapse=0.003, **options)
    assert same(chosen.tunings, auto.tunings)


@pytest.mark.parametrize(
    "options",
    [
        {"calibration_data": DATA},
        {"calibration_data": DATA, "swap_activations": IF, "scale_firing_rates": 3},
        {},
    ],
)
def test_else_rates_are_those_of_the_contract(options):
    converter = Converter(dense_model(), **options)
    assert converter.tunings is None and converter.synapse is None
    assert converter.scale_firing_rates == options.get("scale_firing_rates")


RATES = [
    (nengo_dl.IntegrateAndFire(amplitude=2), "IntegrateAndFire: 1 Hz"),
    (nengo.LIF(), "LIF: 0 Hz"),
    (nengo.PoissonSpiking(nengo.RectifiedLinear()), "PoissonSpiking: 1 Hz"),
]


@pytest.mark.parametrize("kind, message", RATES)
def test_unknown_rates_are_said(kind, message):
    with pytest.warns(UserWarning, match=f"neither .* nor calibration_.*{message}"):
        Converter(dense_model(), swap_activations={"relu": kind})


class Unknown(nengo.neurons.NeuronType):
    """Spikes, at rates that Nengo does not know."""

    spiking = True

    def step(self, dt, J, output):
        output[...] = J > 0


def test_rates_that_cannot_be_known():
    with pytest.warns(UserWarning, match="Unknown: unknown"):
        Converter(dense_model(), swap_activations={"relu": Unknown()})


@pytest.mark.parametrize(
    "options",
    [{}, {"swap_activations": IF, "scale_firing_rates": 100}, {"synapse": 0.1}],
)
def test_there_is_no_warning_where_nothing_is_guessed(options):
    sequential = keras.Sequential(dense_model().layers)
    for model in (dense_model(), sequential):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            Converter(model, **options)


def test_nengo_does_not_warn_of_neurons_that_represent_nothing():
    """Those with a gain for which an activation of 1 is below the threshold."""
    converter = converter_of(
        dense_model(), swap_activations=LIF, scale_firing_rates=0.5
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        converter.predict(DATA, n_steps=2)
    with nengo.Network() as net:
        nengo.Ensemble(1, 1, neuron_type=nengo.LIF(), gain=[0.5], bias=[0])
    with pytest.warns(UserWarning, match="Non-finite"):
        nengo_dl.Simulator(net, progress_bar=False).close()


DECISIONS = [
    ("softmax", None, OneOf(False)),
    ("sigmoid", None, EachOf(False)),
    (None, None, None),
    (None, "mse", None),
    (None, "sparse_categorical_crossentropy", OneOf(False)),
    (None, keras.losses.CategoricalCrossentropy(from_logits=True), OneOf(True)),
    (None, keras.losses.CategoricalHinge(), OneOf(True)),
    (None, keras.losses.BinaryCrossentropy(from_logits=True), EachOf(True)),
    ("sigmoid", ["categorical_crossentropy"], OneOf(False)),
    ("sigmoid", keras.losses.binary_crossentropy, EachOf(False)),
]


@pytest.mark.parametrize("activation, loss, wanted", DECISIONS)
@pytest.mark.parametrize("form", ["functional", "nested", "sequential"])
def test_classifiers_are_known_by_loss_or_activation(form, activation, loss, wanted):
    model = dense_model(activation)
    if form == "nested":
        inputs = keras.Input((6,))
        model = keras.Model(inputs, model(inputs))
    elif form == "sequential":
        model = keras.Sequential(model.layers)
    if loss is not None:
        model.compile(loss=loss)
    (spec,) = Converter(model).conversion.source.outputs
    assert spec.decide == wanted


def test_steps_of_a_classifier_are_those_until_decisions_stay():
    """The error may still be larger than 5 % then."""
    model = dense_model("softmax")
    options = {"swap_activations": IF, "calibration_data": DATA}
    converter = converter_of(model, **options)
    n_steps = converter.recommended_steps
    wanted = np.argmax(model(DATA), axis=-1)
    for n in (n_steps, n_steps + 1, 128):
        assert np.all(converter.predict(DATA, n_steps=n).argmax(axis=-1) == wanted)
    if n_steps > 1:
        before = converter.predict(DATA, n_steps=n_steps - 1)
        assert np.any(before.argmax(axis=-1) != wanted)


ADVICE = [
    ({"swap_activations": IF, "scale_firing_rates": 1}, "Leave scale_firing_rates out"),
    ({"swap_activations": LIF, "target_rate": 10}, "Leaky neurons .* Converter.tune"),
    ({"swap_activations": IF, "target_rate": 1}, "raise target_rate"),
    ({"swap_activations": IF, "target_rate": 1, "output": "each_step"}, "average"),
]


@pytest.mark.parametrize("options, message", ADVICE)
def test_if_no_number_of_steps_is_enough_it_says_what_to_change(options, message):
    converter = converter_of(dense_model("softmax"), calibration_data=DATA, **options)
    with pytest.warns(UserWarning, match=message):
        assert converter.recommended_steps is None
