"""Operators read feeds where they would read copies of them."""

import nengo
import numpy as np
import pytest
from nengo.builder.operator import Copy, SimPyFunc

from nengo_dl.graph.rewrite import rewrite
from nengo_dl.graph.simplify import DEFAULT
from tests.graph.interpreter import assert_equal, program_of, run


def alone(source, node):
    nengo.Connection(source, node, synapse=None)


def twice(source, node):
    nengo.Connection(source, node, synapse=None)
    nengo.Connection(source, node, synapse=None)


def filtered(source, node):
    nengo.Connection(source, node, synapse=0.01)


def scaled(source, node):
    nengo.Connection(source, node, transform=2, synapse=None)


def swapped(source, node):
    nengo.Connection(source, node[[1, 0]], synapse=None)


def in_part(source, node):
    nengo.Connection(source[0], node[1], synapse=None)


def through_a_node(source, node):
    other = nengo.Node(lambda t, x: x + t, size_in=2)
    nengo.Connection(source, other, synapse=None)
    nengo.Connection(other, node, synapse=None)


@pytest.mark.parametrize("joins_steps", [True, False])
@pytest.mark.parametrize(
    "connect, is_fed",
    [
        (alone, True),
        (twice, False),
        (filtered, False),
        (scaled, False),
        (swapped, False),
        (in_part, False),
        (through_a_node, True),
    ],
)
def test_what_is_a_copy_of_a_feed(connect, is_fed, joins_steps):
    with nengo.Network(seed=0) as net:
        source = nengo.Node(lambda t: [np.sin(t), np.cos(t)])
        node = nengo.Node(lambda t, x: x**2, size_in=2)
        connect(source, node)
        nengo.Probe(node)
        nengo.Probe(source)
    program = program_of(net)
    for op in program.operators:
        if type(op) is SimPyFunc:
            op.joins_steps = joins_steps
    simplified = rewrite(program, DEFAULT)
    assert rewrite(simplified, DEFAULT) is simplified
    assert_equal(run(simplified), run(program))
    feeds = {feed.signal for feed in simplified.feeds}
    reads = [op.x for op in simplified.operators if type(op) is SimPyFunc]
    assert any(signal in feeds for signal in reads) == (is_fed and joins_steps)
    if is_fed and joins_steps:
        copied = [op.src for op in simplified.operators if type(op) is Copy]
        assert feeds.isdisjoint(copied)
