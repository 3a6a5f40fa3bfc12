"""Descriptions lead back to equal objects, for all that this package offers."""

import json

import nengo
import numpy as np
import pytest
from nengo.neurons import NeuronType

import nengo_dl
from nengo_dl import dists, neurons, surrogates
from nengo_dl.descriptions import described, restored

ARGUMENTS = {"Pointwise": ("elu",)}
KINDS = {
    value
    for module in (nengo_dl, neurons, dists)
    for value in vars(module).values()
    if isinstance(value, type)
    and issubclass(value, (NeuronType, nengo.dists.Distribution))
    and value.__module__.startswith("nengo_dl")
}
OBJECTS = [
    *(kind(*ARGUMENTS.get(kind.__name__, ())) for kind in sorted(KINDS, key=str)),
    *surrogates.NAMED.values(),
    nengo_dl.SteppedLIF(tau_rc=[0.02, np.inf], initial_state={"voltage": [0.5, 0]}),
    nengo.LIF(initial_state={"voltage": nengo.dists.Choice([0])}),
]


@pytest.mark.parametrize("obj", OBJECTS, ids=str)
def test_objects_come_back(obj):
    text = json.dumps(described(obj))
    assert restored(json.loads(text)) == obj


def test_other_classes_have_to_be_registered():
    class Mine(nengo.LIF):
        pass

    with pytest.raises(NotImplementedError, match="got Mine.*register_keras_serial"):
        described(Mine())
