import dataclasses
import pickle

import nengo
import numpy as np
import pytest
from nengo.ensemble import Neurons
from nengo.exceptions import (
    BuildError,
    ConfigError,
    NetworkContextError,
    ValidationError,
)

from nengo_dl.config import (
    Settings,
    configure_settings,
    enable_setting,
    get_setting,
    object_settings,
)
from nengo_dl.surrogates import ArcTan, FastSigmoid, RateDerivative


def identity(program):
    return program


VALID = [
    ("planner", identity, identity),
    ("planner", None, None),
    ("sorter", identity, identity),
    ("simplifications", [identity], (identity,)),
    ("simplifications", (), ()),
    ("simplifications", None, None),
    ("inference_only", True, True),
    ("inference_only", np.True_, True),
    ("lif_smoothing", 0.1, 0.1),
    ("lif_smoothing", np.float32(0.5), 0.5),
    ("lif_smoothing", None, None),
    ("dtype", "float64", "float64"),
    ("dtype", np.str_("float32"), "float32"),
    ("stateful", False, False),
    ("use_loop", False, False),
    ("learning_phase", True, True),
    ("learning_phase", None, None),
    ("jit_compile", True, True),
    ("jit_compile", "auto", "auto"),
    ("training_mode", "spiking", "spiking"),
    ("training_mode", np.str_("rate"), "rate"),
    ("surrogate", "arctan", ArcTan()),
    ("surrogate", "rate", RateDerivative()),
    ("surrogate", FastSigmoid(slope=3), FastSigmoid(slope=3)),
    ("surrogate", np.tanh, np.tanh),
]

INVALID = [
    ("trainable", 1, "True, False or None.*got 1"),
    ("trainable", "yes", "True, False or None.*got 'yes'.*default rule"),
    ("keep_history", None, "True or False.*got None.*last step"),
    ("planner", 3, "a function or None.*got 3.*None chooses"),
    ("sorter", "x", "a function or None.*got 'x'"),
    ("simplifications", identity, "a list of functions or None.*Put a single function"),
    ("simplifications", [identity, 1], "a list of functions or None"),
    ("simplifications", "ab", "a list of functions or None.*got 'ab'"),
    ("inference_only", None, "True or False.*got None"),
    ("lif_smoothing", 0, "a positive, finite number or None.*got 0"),
    ("lif_smoothing", -1.0, "a positive, finite number or None"),
    ("lif_smoothing", np.nan, "a positive, finite number or None"),
    ("lif_smoothing", np.inf, "a positive, finite number or None"),
    ("lif_smoothing", True, "a positive, finite number or None"),
    ("lif_smoothing", "0.1", "a positive, finite number or None"),
    ("dtype", "float16", "'float32' or 'float64'.*got 'float16'.*as a string"),
    ("dtype", np.float32, "'float32' or 'float64'.*got <class"),
    ("stateful", 0, "True or False"),
    ("use_loop", "no", "True or False"),
    ("learning_phase", 1.0, "True, False or None.*got 1.0.*method called"),
    ("jit_compile", "always", "True, False or 'auto'.*got 'always'.*where it pays"),
    ("jit_compile", None, "True, False or 'auto'.*got None"),
    ("jit_compile", np.zeros(2), "True, False or 'auto'"),
    ("training_mode", "spike", "'rate' or 'spiking'.*got 'spike'.*surrogate gradients"),
    ("training_mode", None, "'rate' or 'spiking'.*got None"),
    ("surrogate", "relu", "one of 'fast_sigmoid', .*'rate', or a function.*got 'relu'"),
    ("surrogate", FastSigmoid, "one of .*got <class.*Make an instance"),
    ("surrogate", None, "one of .*got None"),
]


def test_defaults():
    defaults = Settings(
        planner=None,
        sorter=None,
        simplifications=None,
        inference_only=False,
        lif_smoothing=None,
        dtype="float32",
        stateful=True,
        use_loop=True,
        learning_phase=None,
        jit_compile="auto",
        training_mode="rate",
        surrogate=FastSigmoid(),
    )
    assert Settings.read(None) == Settings.read(nengo.Network()) == defaults
    with pytest.raises(dataclasses.FrozenInstanceError):
        defaults.dtype = "float64"


@pytest.mark.parametrize("name, value, stored", VALID)
def test_valid_values(name, value, stored):
    with nengo.Network() as net:
        configure_settings(**{name: value})
    read = getattr(Settings.read(net), name)
    assert read == stored and type(read) is type(stored)
    assert get_setting(net, name) == stored


@pytest.mark.parametrize("name, value, message", INVALID)
def test_invalid_values(name, value, message):
    other = "use_loop" if name == "stateful" else "stateful"
    with nengo.Network() as net:
        with pytest.raises(ValidationError, match=f"{name}: setting must be {message}"):
            configure_settings(**{other: False, name: value})
        assert get_setting(net, other) is None  # nothing was changed


def test_values_set_through_nengo_are_checked_too():
    with nengo.Network() as net:
        configure_settings(dtype="float64", keep_history=True)
        probe = nengo.Probe(nengo.Node([0]))
    net.config[nengo.Network].dtype = "float32"
    assert Settings.read(net).dtype == "float32"
    with pytest.raises(ValidationError, match="dtype: .*got 'float16'"):
        net.config[nengo.Network].dtype = "float16"
    with pytest.raises(ValidationError, match="keep_history: .*got 'no'"):
        net.config[probe].keep_history = "no"


def test_calls_change_only_what_they_name():
    with nengo.Network() as net:
        configure_settings(dtype="float64", lif_smoothing=0.1)
        configure_settings(lif_smoothing=None)
        configure_settings()
    assert Settings.read(net) == Settings(dtype="float64")


def test_settings_belong_to_the_top_level_network():
    with nengo.Network() as net:
        with nengo.Network() as inner:
            configure_settings(dtype="float64")
    assert Settings.read(net).dtype == "float64"
    assert Settings.read(inner).dtype == "float32"


def test_unknown_setting():
    with nengo.Network() as net:
        message = "configure_settings: must name .*'dtype'.*got 'dtpye'.*mean 'dtype'"
        with pytest.raises(ConfigError, match=message):
            configure_settings(dtpye="float64")
        with pytest.raises(ConfigError, match="got 'qqq'.* Correct the name"):
            configure_settings(qqq=1)
    with pytest.raises(ConfigError, match="get_setting: must name .*got 'dtpye'"):
        get_setting(net, "dtpye")


def test_no_active_network():
    message = "configure_settings: must be called inside .*no active.*with network"
    with pytest.raises(NetworkContextError, match=message):
        configure_settings(dtype="float64")


def test_check():
    assert Settings(inference_only=True, learning_phase=False).check().inference_only
    message = "configure_settings: learning_phase=True .*got inference_only=True.*Set "
    with pytest.raises(BuildError, match=message):
        Settings(inference_only=True, learning_phase=True).check()


def test_get_setting():
    with nengo.Network() as net:
        ens = nengo.Ensemble(2, 1)
        probe = nengo.Probe(ens)
    assert get_setting(net, "dtype") is None
    assert get_setting(net, "dtype", "float32") == "float32"
    assert get_setting(net, "keep_history", True, probe) is True
    model = nengo.builder.Model()
    assert get_setting(model, "dtype", "float32") == "float32"
    with net:
        configure_settings(dtype="float64", keep_history=False, trainable=True)
    model.build(net)
    assert get_setting(model, "dtype", "float32") == "float64"
    assert get_setting(model, "keep_history", True, probe) is False
    assert get_setting(net, "keep_history") is False
    net.config[ens].trainable = False
    assert get_setting(net, "trainable", obj=ens) is False
    assert get_setting(net, "trainable") is True


def test_keep_history_per_probe():
    with nengo.Network() as net:
        ens = nengo.Ensemble(2, 1)
        with nengo.Network():
            configure_settings(keep_history=True)
            probes = [nengo.Probe(ens) for _ in range(2)]
    net.config[probes[1]].keep_history = False
    assert object_settings(net, "keep_history") == {probes[0]: True, probes[1]: False}


def trainable_network():
    with nengo.Network() as net:
        a = nengo.Ensemble(2, 1)
        with nengo.Network() as inner:
            b = nengo.Ensemble(2, 1)
            conn = nengo.Connection(a, b)
    return net, inner, a, b, conn


def test_trainable_is_not_set_by_default():
    net, *_ = trainable_network()
    assert object_settings(net, "trainable") == {}
    with net:
        configure_settings(trainable=None)
    assert object_settings(net, "trainable") == {}
    assert net.config[nengo.Connection].trainable is None


@pytest.mark.parametrize("value", [True, False])
def test_trainable_for_all(value):
    net, _, a, b, conn = trainable_network()
    with net:
        configure_settings(trainable=value)
    expected = dict.fromkeys([a, b, a.neurons, b.neurons, conn], value)
    assert object_settings(net, "trainable") == expected


def test_trainable_instance_before_class_and_inner_before_outer():
    net, inner, a, b, conn = trainable_network()
    with net:
        configure_settings(trainable=False)
        net.config[a].trainable = True
        net.config[b].trainable = True
    assert object_settings(net, "trainable")[b] is True
    with inner:
        configure_settings(trainable=None)
    values = object_settings(net, "trainable")
    assert (values[a], values[b], values[conn]) == (True, True, False)
    inner.config[nengo.Ensemble].trainable = False
    values = object_settings(net, "trainable")
    assert (values[a], values[b], values[conn]) == (True, False, False)
    inner.config[conn].trainable = True
    assert object_settings(net, "trainable")[conn] is True
    # the network of an object is the first to ask; the outer class stays as it was
    assert net.config[nengo.Connection].trainable is False


def test_trainable_set_to_none_for_an_object_asks_for_the_default():
    net, _, a, b, _ = trainable_network()
    with net:
        configure_settings(trainable=False)
    net.config[a].trainable = None
    values = object_settings(net, "trainable")
    assert a not in values and a.neurons not in values
    assert values[b] is False


def test_biases_follow_the_ensemble_unless_the_neurons_say_otherwise():
    net, _, a, b, _ = trainable_network()
    with net:
        configure_settings(trainable=False)
    net.config[a].trainable = True
    assert object_settings(net, "trainable")[a.neurons] is True
    net.config[a.neurons].trainable = False
    values = object_settings(net, "trainable")
    assert (values[a], values[a.neurons]) == (True, False)
    net.config[Neurons].trainable = None
    net.config[nengo.Ensemble].trainable = True
    assert object_settings(net, "trainable")[b.neurons] is True


def test_trainable_reaches_subclasses():
    class MyEnsemble(nengo.Ensemble):
        pass

    with nengo.Network() as net:
        configure_settings(trainable=False)
        ens = MyEnsemble(2, 1)
    assert object_settings(net, "trainable")[ens] is False
    net.config.configures(MyEnsemble)  # a class with parameters of its own
    assert object_settings(net, "trainable")[ens] is False


def test_enable_setting_keeps_values():
    with nengo.Network() as net:
        configure_settings(trainable=False)
        ens = nengo.Ensemble(2, 1)
    net.config[ens].trainable = True
    enable_setting(net, "trainable")
    assert net.config[nengo.Ensemble].trainable is False
    assert net.config[ens].trainable is True


def test_attributes_are_added_to_their_classes_only():
    with nengo.Network() as net:
        configure_settings(trainable=None)
        node = nengo.Node([0])
    with pytest.raises(AttributeError):
        _ = net.config[node].trainable


def test_settings_survive_copying_and_pickling():
    with nengo.Network() as net:
        ens = nengo.Ensemble(2, 1, label="a")
        configure_settings(dtype="float64", trainable=False, simplifications=[identity])
    net.config[ens].trainable = True
    for other in (net.copy(), pickle.loads(pickle.dumps(net))):
        assert Settings.read(other) == Settings.read(net)
        (copied,) = other.all_ensembles
        assert object_settings(other, "trainable")[copied] is True
        other.config[nengo.Network].dtype = "float32"
    assert Settings.read(net).dtype == "float64"


@pytest.mark.parametrize("before", [False, None, True])
def test_ensembles_are_encoders_and_biases(before):
    """Whatever has been said for everything, until it is said for neurons."""
    with nengo.Network() as net:
        configure_settings(trainable=before)
        ens = nengo.Ensemble(3, 1)
    assert net.config[Neurons].trainable is before
    for value in (not before, before, None, True):
        net.config[nengo.Ensemble].trainable = value
        values = object_settings(net.copy(), "trainable").values()
        assert list(values) == ([] if value is None else [value, value])
    net.config[Neurons].trainable = False
    assert object_settings(net, "trainable") == {ens: True, ens.neurons: False}
    with net:
        configure_settings(trainable=True)
    assert object_settings(net, "trainable") == {ens: True, ens.neurons: True}
