"""Positional arguments of ``compile``, in the orders of Keras 2 and Keras 3."""

import keras
import nengo
import numpy as np
import pytest
from nengo.exceptions import ValidationError

from nengo_dl.simulator.compile_arguments import by_argument
from tests.simulator.helpers import make_sim, relay

MAE = keras.metrics.MeanAbsoluteError()
P = object()

# positional arguments, and what they are
ORDERS = [
    ((), {}),
    (("adam",), {"optimizer": "adam"}),
    (("adam", None), {"optimizer": "adam"}),
    ((None, "mse"), {"loss": "mse"}),
    (("adam", "mse"), {"optimizer": "adam", "loss": "mse"}),
    (("adam", "mse", ["mae"]), {"metrics": ["mae"]}),
    (("adam", "mse", "mae"), {"metrics": "mae"}),
    (("adam", "mse", [MAE]), {"metrics": [MAE]}),
    (("adam", "mse", {P: ["mae", None]}), {"metrics": {P: ["mae", None]}}),
    (("adam", "mse", [max, min]), {"metrics": [max, min]}),
    (("adam", "mse", [0.5, 1]), {"loss_weights": [0.5, 1]}),
    (("adam", "mse", 0.5), {"loss_weights": 0.5}),
    (("adam", "mse", {P: 2.0}), {"loss_weights": {P: 2.0}}),
    (("adam", "mse", [2], ["mae"]), {"loss_weights": [2], "metrics": ["mae"]}),
    (("adam", "mse", ["mae"], [2]), {"loss_weights": [2], "metrics": ["mae"]}),
    (("adam", "mse", None, ["mae"]), {"metrics": ["mae"]}),
    (("adam", "mse", None, [2.0]), {"loss_weights": [2.0]}),
]


@pytest.mark.parametrize("positional, expected", ORDERS)
def test_orders(positional, expected):
    found = by_argument(positional, {"loss": None})
    assert expected.items() <= found.items()
    assert len(found) == sum(value is not None for value in positional)


TWICE = [
    (("adam", "mse"), {"loss": "mae"}, "loss once .got 'mae' and 'mse'.. The order is"),
    (("adam",), {"optimizer": "sgd"}, "optimizer once"),
    (("adam", "mse", ["mae"]), {"metrics": ["acc"]}, "metrics once"),
    (("adam", "mse", ["mae"], ["acc"]), {}, "metrics once"),
    (("adam", "mse", [1], [2]), {}, "loss_weights once"),
    (("adam", "mse", None, None, None), {}, "at most 4 .*got 5.*by name"),
]


@pytest.mark.parametrize("positional, named, message", TWICE)
def test_two_of_one_name(positional, named, message):
    with pytest.raises(ValidationError, match=f"Simulator.compile: expected {message}"):
        by_argument(positional, named)


def test_what_a_simulator_reports():
    net = relay([0.0])
    with make_sim(net) as sim:
        for args in (
            ("adam", "mse", ["mae"]),
            ("adam", "mse", None, ["mae"]),
            ("adam", {net.probes[0]: "mse"}, {net.probes[0]: 2.0}, ["mae"]),
        ):
            sim.compile(*args)
            values = sim.evaluate(n_steps=1, y=np.full((1, 1, 1), 2.0), verbose=0)
            assert list(values) == ["loss", "probe_loss", "probe_mae"]
            factor = 2.0 if isinstance(args[2], dict) else 1.0
            assert values == {"loss": 4 * factor, "probe_loss": 4, "probe_mae": 2}
        sim.compile("sgd", "mse")
        assert isinstance(sim.keras_model.optimizer, keras.optimizers.SGD)
        sim.compile(optimizer="adam", loss="mae")
        with pytest.raises(ValidationError, match="loss once"):
            sim.compile("adam", "mse", loss="mae")
    assert isinstance(net.probes[0], nengo.Probe)


@pytest.mark.parametrize(
    "metrics, reported",
    [
        (["mae"], ["b_mae"]),
        ("mae", ["b_mae"]),
        (["mae", "mse", "acc"], ["b_mae", "b_mse", "b_acc"]),
        (["mae", "mse"], ["a_mae", "b_mse"]),  # one for each
        ({"a": "mae"}, ["a_mae"]),
        ([["mae"], None], ["a_mae"]),
    ],
)
def test_metrics_of_probes_with_a_loss(metrics, reported):
    net = relay([0.0], [0.0])
    for probe, label in zip(net.probes, "ab", strict=True):
        probe.label = label
    with make_sim(net) as sim:
        y = np.zeros((1, 1, 1))
        needed = {key[0] for key in reported} | {"b"}
        for argument in ("metrics", "weighted_metrics"):
            sim.compile(loss={"b": "mse"}, **{argument: metrics})
            values = sim.evaluate(
                n_steps=1, y=dict.fromkeys(sorted(needed), y), verbose=0
            )
            assert list(values) == ["loss", "b_loss", *reported]
