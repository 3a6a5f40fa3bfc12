"""Networks in the integers of Loihi."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import nengo
import numpy as np
from nengo.builder import Model
from nengo.exceptions import BuildError

from nengo_dl.biases import biases, set_biases
from nengo_dl.chips.checks import check_number
from nengo_dl.chips.limits import LOIHI
from nengo_dl.errors import InvalidValue, argument
from nengo_dl.graph.nengo_model import build_model
from nengo_dl.hardware.paths import Path, Paths
from nengo_dl.hardware.rewiring import LoihiPopulation, rewire
from nengo_dl.loihi import MAX_BIAS, MAX_REFRACTORY, ONE, UNIT, LoihiLIF
from nengo_dl.neurons import IntegrateAndFire

# Thresholds leave room for voltages and currents of 32 times their height, in 24 bits
# with the sign; weights that are small beside them get some of it. Lower than the
# lowest, decays would be too coarse.
USUAL, LOWEST, LOWEST_VOLTAGE = 2**18, 2**14, -(2**23) + 1


@dataclass(frozen=True)
class Dynamics:
    """A neuron type in steps, with voltages in units of the threshold.

    Parameters
    ----------
    decay : int
        Of the voltage, in 4096ths.
    drive : float
        Change of the voltage in a step by a current of 1.
    refractory : int
        Number of steps.
    floor : float
        The lowest voltage.
    """

    decay: int
    drive: float
    refractory: int
    floor: float


def in_4096ths(tau: float, dt: float) -> int:
    """Return the part of what decays with a time constant that does so in a step."""
    exact = 1.0 if tau == 0 else -np.expm1(-dt / tau)
    return int(np.clip(np.rint(ONE * exact), 1, ONE))


def _lif(kind: nengo.LIF, dt: float) -> Dynamics:
    decay, steps = in_4096ths(kind.tau_rc, dt), round(kind.tau_ref / dt)
    if steps > MAX_REFRACTORY:
        raise InvalidValue(
            f"expected a refractory period of at most {MAX_REFRACTORY} steps (got "
            f"{steps}). Choose a larger dt."
        )
    return Dynamics(decay, decay / ONE, max(steps, 1), kind.min_voltage)


def _integrator(kind: IntegrateAndFire, dt: float) -> Dynamics:
    return Dynamics(0, dt, 1, kind.min_voltage)


def _rectified(kind: nengo.SpikingRectifiedLinear, dt: float) -> Dynamics:
    del kind
    return Dynamics(0, dt, 1, 0.0)


DYNAMICS: dict[type, Callable[[Any, float], Dynamics]] = {
    nengo.LIF: _lif,
    IntegrateAndFire: _integrator,
    nengo.SpikingRectifiedLinear: _rectified,
}


def loihi(net: nengo.Network, dt: float = 0.001) -> nengo.Network:
    r"""Return a copy of a spiking network in the integers of Loihi.

    Neurons become `.LoihiLIF`. With the unit :math:`S = 64 \, \theta` of voltages:

    - decays are rounded to :math:`\mathrm{round}(4096 \, (1 - e^{-dt / \tau}))`, of the
      membrane for ``decay_v``, and of the `nengo.Lowpass` synapses that arrive for
      ``decay_u``; refractory periods are rounded to steps;
    - the threshold :math:`\theta` is the integer with which the largest weight of a
      population uses all its bits;
    - biases are rounded, with those of a `.Converter`, and added to the voltage.

    Weights from neurons to neurons get 8 bits, see `ChipLimits`. Nodes that only pass
    values on, averages and encoders are multiplied into them. Decoders are solved for
    the rates of `.LoihiLIF`. Weights from other nodes get 8 bits, too, times a power of
    two: their values stand for currents that a host writes in each step, and are
    rounded when they arrive. What leads to nodes and probes stays as it is, so that
    outputs have the height that they had.

    A voltage is reset to 0, so what it had above its threshold is lost, and intervals
    are whole steps. This costs little where a neuron spikes in one of four steps at
    most: convert models to `IntegrateAndFire` neurons with a ``target_rate`` of 250 Hz
    or less. They still lose more than `nengo.LIF` neurons, which forget this in any
    case.

    Parameters
    ----------
    net : Network
        Of `nengo.LIF`, `IntegrateAndFire` or `nengo.SpikingRectifiedLinear` neurons.
        Negative currents of the last take from their voltages, down to 0.
    dt : float
        Length of a step, in seconds, with which the copy is to be simulated.

    Returns
    -------
    net : Network
        The copy.

    Raises
    ------
    ValidationError
        If an argument is wrong.
    BuildError
        If the network has other neurons, different synapses on what arrives at a
        population, or other parts without a form on the chip; the message lists all of
        them.

    Examples
    --------
    .. testcode::

       with nengo.Network(seed=0) as net:
           stimulus = nengo.Node([0.5])
           pre, post = nengo.Ensemble(50, 1), nengo.Ensemble(50, 1)
           nengo.Connection(stimulus, pre)
           conn = nengo.Connection(pre, post)
           probe = nengo.Probe(post, synapse=0.03)
       chip = nengo_dl.hardware.loihi(net)
       kind = chip.ensembles[1].neuron_type
       print(kind.decay_u, kind.decay_v, nengo_dl.hardware.check(chip).fits)

    .. testoutput::

       742 200 True
    """
    with argument("loihi"):
        if not isinstance(net, nengo.Network):
            raise InvalidValue(
                f"expected a Network (got {net!r}). Pass converter.net for what a "
                "Converter has made."
            )
        check_number(dt, 1e-9, np.inf, "a positive number of seconds")
    net = net.copy(add_to_container=False)
    populations = _settled(net, dt)
    model = build_model(net, dt, "float64")
    paths = Paths(net, model).by_target
    for population in populations.values():
        rewire(net, population, paths[population.ensemble], model)
    for network in (net, *net.all_networks):
        for ens in biases(network):
            if ens in network.all_ensembles:
                set_biases(network, ens, ())
    return net


def _settled(net: nengo.Network, dt: float) -> dict[nengo.Ensemble, LoihiPopulation]:
    """Give all ensembles the neurons of Loihi, with connections as they were."""
    model = build_model(net, dt, "float64")
    paths = Paths(net, model)
    problems = list(paths.problems)
    readers = [conn.pre_obj for conn in net.all_connections]
    readers += [probe.obj for probe in net.all_probes]
    kinds = {}
    for ens in net.all_ensembles:
        try:
            kinds[ens] = _kind(ens, paths.by_target[ens], model, dt)
        except InvalidValue as error:
            problems.append(f"{ens}: {error}")
    if problems:
        listed = "".join(f"\n- {text}" for text in problems)
        raise BuildError(f"loihi: {net} has no form on Loihi:{listed}")
    for ens, (kind, scale) in kinds.items():
        built = model.params[ens]
        ens.neuron_type, ens.seed = kind, model.seeds[ens]
        ens.encoders, ens.eval_points = built.encoders, built.eval_points
        ens.gain, ens.bias = scale * built.gain, np.zeros(ens.n_neurons)
    for conn in net.all_connections:
        conn.seed = model.seeds[conn]
    return {ens: LoihiPopulation(ens, kinds[ens][0], ens in readers) for ens in kinds}


def _kind(
    ens: nengo.Ensemble, paths: list[Path], model: Model, dt: float
) -> tuple[LoihiLIF, float]:
    """Return neurons, and the factor on currents in their units."""
    if type(ens.neuron_type) not in DYNAMICS:
        names = ", ".join(kind.__name__ for kind in DYNAMICS)
        raise InvalidValue(
            f"expected neurons of {names} (got {type(ens.neuron_type).__name__}). "
            "Convert models with swap_activations, or replace the neuron type."
        )
    dynamics = DYNAMICS[type(ens.neuron_type)](ens.neuron_type, dt)
    decay_u = in_4096ths(_time_constant(paths), dt)
    steps = [
        np.max(np.abs(path.matrix.data), initial=0)
        * (path.source.ensemble.neuron_type.amplitude / dt)
        for path in paths
        if path.is_spiking
    ]
    per_current = dynamics.drive * decay_u / ONE
    bias = dynamics.drive * model.params[ens].bias
    theta = _threshold(per_current * max(steps, default=0.0), np.max(np.abs(bias)))
    scale = UNIT * theta
    voltage = model.sig[ens.neurons]["voltage"].initial_value
    kind = LoihiLIF(
        decay_u,
        dynamics.decay,
        theta,
        dynamics.refractory,
        bias=np.clip(np.rint(scale * bias), -MAX_BIAS, MAX_BIAS),
        min_voltage=np.maximum(np.rint(scale * dynamics.floor), LOWEST_VOLTAGE),
        amplitude=ens.neuron_type.amplitude / dt,
        initial_state={"voltage": np.rint(scale * voltage)},
    )
    return kind, scale * per_current


def _time_constant(paths: list[Path]) -> float:
    """Return the time constant of all that arrives, but for constants."""
    found = {
        0.0 if path.synapse is None else path.synapse.tau
        for path in paths
        if path.constant is None
    }
    if len(found) > 1:
        listed = ", ".join(f"{tau:g} s" for tau in sorted(found))
        raise InvalidValue(
            "expected one time constant of all synapses that arrive, which is that of "
            f"the neurons' current (got {listed}). Give all connections the same "
            "synapse."
        )
    return found.pop() if found else 0.0


def _threshold(largest: float, bias: float) -> int:
    """Return the mantissa of a threshold, for the largest weight and bias in its units.

    The largest weight is to use all its bits. Large biases must fit; but if they are
    those of neurons that hardly ever spike, the others are not to suffer for it.
    """
    highest = min(USUAL, max(MAX_BIAS / 2 / max(bias, 1e-9), LOWEST))
    scale: float = highest
    if largest > 0:
        top = LOIHI.max_weight / 2**LOIHI.max_shift
        usual = [top * 2.0**k / largest for k in range(LOIHI.max_shift + 1)]
        fitting = [scale for scale in usual if scale <= highest]
        scale = max(fitting) if fitting else min(usual[0], 4 * highest)
    return max(int(scale / UNIT), 1)
