r"""Learning rules whose changes of weights are outer products, kept as their factors.

Nengo computes the change ("delta") in one step and adds it to the weights in the next
one. As a matrix, it has to be written, kept and read again in each step, at several
times the cost of the product that the weights are for. All of these rules have the form

.. math:: \Delta\omega_{ij} = g_i c_j - d_i \omega_{ij}

and the vectors g (growth), c (columns) and d (decay) are as good as the matrix.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from nengo.builder import Signal
from nengo.builder.learning_rules import SimBCM, SimOja, SimPES, SimVoja
from nengo.builder.operator import Copy, Operator

from nengo_dl.graph.program import Program


@dataclass(frozen=True)
class FactoredForm:
    """A learning rule as the factors of its change.

    Parameters
    ----------
    name : str
        Name for messages.
    inputs : mapping of str to str
        For each signal that is read, by its attribute of the operator, which axis of
        the weights it goes along: "post", "pre" or "one" for neither.
    constants : callable
        From an operator and dt to a mapping of names to numbers, or to arrays along the
        "post" axis.
    factors : callable
        From the values of inputs and constants to growth, columns and, if there is
        one, decay. Works for arrays and tensors alike.
    weights : str
        Attribute that holds the weights; "" if there is no decay.
    """

    name: str
    inputs: Mapping[str, str]
    constants: Callable[[Any, float], Mapping[str, Any]]
    factors: Callable[..., tuple]
    weights: str = ""


def _rate(op, dt):
    return {"alpha": op.learning_rate * dt}


def _pes_constants(op, dt):
    return {"alpha": -op.learning_rate * dt / op.delta.shape[1]}


def _pes(error, pre, alpha):
    r"""Prescribed error sensitivity.

    .. math:: \Delta\omega_{ij} = -\frac{\kappa\,dt}{n} e_i a_j
    """
    return alpha * error, pre


def _bcm(pre, post, theta, alpha):
    r"""Bienenstock-Cooper-Munro rule.

    .. math:: \Delta\omega_{ij} = \kappa\,dt\,a_i (a_i - \theta_i) a_j
    """
    return alpha * post * (post - theta), pre


def _oja_constants(op, dt):
    return {**_rate(op, dt), "beta": op.beta}


def _oja(pre, post, alpha, beta):
    r"""Oja's rule.

    .. math:: \Delta\omega_{ij} = \kappa\,dt (a_i a_j - \beta a_i^2 \omega_{ij})
    """
    return alpha * post, pre, beta * (alpha * post * post)


def _voja_constants(op, dt):
    return {**_rate(op, dt), "scale": op.scale}


def _voja(pre, post, learning, alpha, scale):
    r"""Vector Oja rule, which moves encoders toward active inputs.

    .. math:: \Delta e_{ij} = \kappa\,dt\,l\,a_i (s_i x_j - e_{ij})

    with a learning signal :math:`l` and encoder lengths :math:`s_i`.
    """
    moved = alpha * learning * post
    return scale * moved, pre, moved


FORMS: Mapping[type[Operator], FactoredForm] = {
    SimPES: FactoredForm(
        "PES", {"error": "post", "pre_filtered": "pre"}, _pes_constants, _pes
    ),
    SimBCM: FactoredForm(
        "BCM",
        {"pre_filtered": "pre", "post_filtered": "post", "theta": "post"},
        _rate,
        _bcm,
    ),
    SimOja: FactoredForm(
        "Oja",
        {"pre_filtered": "pre", "post_filtered": "post"},
        _oja_constants,
        _oja,
        "weights",
    ),
    SimVoja: FactoredForm(
        "Voja",
        {"pre_decoded": "pre", "post_filtered": "post", "learning_signal": "one"},
        _voja_constants,
        _voja,
        "scaled_encoders",
    ),
}
_SHAPES = {"post": (-1, 1), "pre": (1, -1), "one": (1, 1)}


class ChangeFactors(Operator):
    """Compute the factors of the change that a learning rule makes.

    Parameters
    ----------
    rule : Operator
        That of the learning rule, of a type in `FORMS`.

    Attributes
    ----------
    factors : tuple of Signal
        Growth of shape (n_post,), columns of shape (n_pre,) and, if there is one, decay
        of shape (n_post,).

    Notes
    -----
    1. sets ``[]``
    2. incs ``[]``
    3. reads what the rule reads, but for the weights
    4. updates ``factors``
    """

    def __init__(self, rule: Operator):
        super().__init__(tag=rule.tag)
        self.rule, self.form = rule, FORMS[type(rule)]
        n_post, n_pre = rule.delta.shape
        sizes = {"growth": n_post, "columns": n_pre}
        if self.form.weights:
            sizes["decay"] = n_post
        self.factors = tuple(
            Signal(shape=(size,), name=f"{rule.delta.name}.{name}")
            for name, size in sizes.items()
        )
        self.sets: list[Signal] = []
        self.incs: list[Signal] = []
        self.reads = [getattr(rule, attr) for attr in self.form.inputs]
        self.updates = list(self.factors)

    def make_step(self, signals, dt, rng):
        """Return the step in NumPy."""
        del rng
        numbers = self.form.constants(self.rule, dt).values()
        constants = [np.reshape(number, (-1, 1)) for number in numbers]
        shapes = [_SHAPES[kind] for kind in self.form.inputs.values()]

        def step():
            inputs = (
                np.reshape(signals[signal], shape)
                for signal, shape in zip(self.reads, shapes, strict=True)
            )
            values = self.form.factors(*inputs, *constants)
            for factor, value in zip(self.factors, values, strict=True):
                signals[factor][...] = np.ravel(value)

        return step


class FactoredInc(Operator):
    """Add a change that is given by its factors, as `ChangeFactors` computes them.

    Parameters
    ----------
    factors : tuple of Signal
        Growth, columns and, if there is one, decay.
    weights : Signal
        What they change, of shape (n_post, n_pre).

    Notes
    -----
    1. sets ``[]``
    2. incs ``weights``
    3. reads ``factors``
    4. updates ``[]``
    """

    def __init__(self, factors: tuple[Signal, ...], weights: Signal, tag=None):
        super().__init__(tag=tag)
        self.factors, self.weights = factors, weights
        self.sets: list[Signal] = []
        self.incs, self.reads = [weights], list(factors)
        self.updates: list[Signal] = []

    def make_step(self, signals, dt, rng):
        """Return the step in NumPy."""
        del dt, rng
        weights = signals[self.weights]
        growth, columns, *decays = (signals[factor] for factor in self.factors)

        def step():
            change = np.outer(growth, columns)
            for decay in decays:
                change -= decay[:, None] * weights
            weights[...] += change

        return step


def carry_factors(program: Program) -> Program:
    """Keep the factors of a learning rule's change, where they are the smaller state.

    Changes that are probed stay matrices. So do those that shrink weights which
    something else changes, too: they depend on the weights before either.
    """
    if not any(type(op) in FORMS for op in program.operators):
        return program
    uses = Counter(s.base for op in program.operators for s in op.all_signals)
    uses.update(signal.base for signal in program.probes.values())
    writers = Counter(
        s.base for op in program.operators for s in (*op.sets, *op.incs, *op.updates)
    )
    writers.update(signal.base for signal in program.resets)
    additions = {
        op.src: op
        for op in program.operators
        if type(op) is Copy and op.inc and op.src_slice is None and op.dst_slice is None
    }
    changed: dict[Operator, Operator] = {}
    for op in program.operators:
        if type(op) not in FORMS or uses[op.delta] != 2:
            continue
        addition = additions.get(op.delta)
        if addition is not None and _can_be_factored(op, addition, writers):
            changed[op] = ChangeFactors(op)
            changed[addition] = FactoredInc(
                changed[op].factors, addition.dst, addition.tag
            )
    if not changed:
        return program
    return program.replace(
        operators=tuple(changed.get(op, op) for op in program.operators)
    )


def _can_be_factored(rule: Operator, addition: Copy, writers: Counter) -> bool:
    """Tell whether the factors are all that is needed, and at most half as large."""
    weights, form = addition.dst, FORMS[type(rule)]
    n_post, n_pre = rule.delta.shape
    size = n_post * (2 if form.weights else 1) + n_pre
    return (
        weights.shape == rule.delta.shape
        and 2 * size <= rule.delta.size
        and (
            not form.weights
            or (getattr(rule, form.weights) is weights and writers[weights.base] == 1)
        )
    )
