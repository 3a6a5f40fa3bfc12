"""Types of operators, neurons and processes, told apart by what they are."""

from functools import partial

import nengo
import numpy as np
import pytest
import tensorflow as tf
from nengo.builder.operator import Operator

from nengo_dl.graph.kernel import Kernel, Write, slot
from nengo_dl.graph.plan import plan
from nengo_dl.ops import BuildContext, Builder, neurons, processes
from tests.checks import DT, Bench, make_program


@pytest.fixture
def registered():
    """Forget what a test registers."""
    registries = (Builder.entries, neurons.steps, processes.steps)
    before = [dict(registry) for registry in registries]
    yield
    for registry, entries in zip(registries, before, strict=True):
        registry.clear()
        registry.update(entries)


def scaling_operator(factor):
    """Make an operator type that has the same name as all others from here."""

    class Scaling(Operator):
        def __init__(self, x, y):
            super().__init__()
            self.reads, self.sets, self.incs, self.updates = [x], [y], [], []

        def make_step(self, signals, dt, rng):
            x, y = signals[self.reads[0]], signals[self.sets[0]]

            def step_scaling():
                y[...] = factor * x

            return step_scaling

    @Builder.register(Scaling, merge_key=lambda op: ())
    def build_scaling(ops, ctx):
        return Kernel(
            name="Scaling",
            reads=(slot(op.reads[0] for op in ops),),
            writes=(Write(slot(op.sets[0] for op in ops), "set"),),
            fn=lambda x: (factor * x,),
        )

    return lambda bench: Scaling(bench.signal(3), bench.signal(3))


def scaling_neurons(factor):
    class Scaling(nengo.neurons.NeuronType):
        def step(self, dt, J, output):
            output[...] = factor * J

    @neurons.register(Scaling)
    def scaling_step(p, dt, J):
        return factor * J

    return lambda bench: nengo.builder.neurons.SimNeurons(
        Scaling(), bench.signal(3), bench.signal(3)
    )


def scaling_process(factor):
    class Scaling(nengo.Process):
        pass

    @processes.register(Scaling, merge_key=lambda op: ())
    def build_scaling(ops, ctx):
        return lambda x: (factor * x,)

    return lambda bench: nengo.builder.processes.SimProcess(
        Scaling(), bench.signal(3), bench.signal(3), bench.time
    )


@pytest.mark.parametrize("make", [scaling_operator, scaling_neurons, scaling_process])
def test_types_of_one_name_are_not_merged(make, registered):
    bench = Bench(seed=0)
    factors = [2.0, -3.0]
    operators = tuple(make(factor)(bench) for factor in factors)
    assert len({type(op).__name__ for op in operators}) == 1
    groups = plan(make_program(bench, operators), Builder.traits)
    assert sorted(map(len, groups)) == [1, 1]
    ctx = BuildContext(DT, np.dtype("float64"))
    found = {
        float(Builder.build(group, ctx).fn(tf.ones((3, 1), tf.float64))[0][0, 0])
        for group in groups
    }
    assert found == set(factors)


@pytest.mark.parametrize(
    "register, found",
    [
        (Builder.register, Builder.entries),
        (neurons.register, neurons.steps),
        (partial(processes.register, merge_key=lambda op: ()), processes.steps),
    ],
)
def test_several_types_are_registered_at_once(register, found, registered):
    types = type("First", (), {}), type("Second", (), {})

    @register(*types)
    def build(*args):
        return None

    assert found[types[0]] is found[types[1]]
