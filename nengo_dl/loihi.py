"""Neurons of Intel's Loihi chip, in its integers.

``nengo_dl/ops/loihi.py`` has their TensorFlow step.
"""

from typing import Any

import numpy as np
from nengo.dists import Choice
from nengo.params import NumberParam

from nengo_dl.numbers_param import HeterogeneousNeuronType, WholeNumbersParam

__all__ = ["LoihiLIF"]

ONE = 4096  # a decay of all that there is
UNIT = 64  # of thresholds
MAX_THRESHOLD, MAX_REFRACTORY = 2**17 - 1, 64
MAX_BIAS = 2**23


def decayed(x, decay):
    """Return what is left of integers after a step, rounded towards zero.

    The high and the low 12 bits are multiplied one after the other, so that all numbers
    are exact in single precision, up to 2 ** 24.
    """
    kept, size = ONE - np.asarray(decay, dtype=x.dtype), np.abs(x)
    high = np.floor(size / ONE)
    low = size - high * ONE
    return np.sign(x) * (high * kept + np.floor(low * kept / ONE))


class LoihiLIF(HeterogeneousNeuronType):
    r"""Leaky integrate-and-fire neurons with a synapse, in the integers of Loihi.

    .. math::
       u[n] &= \mathrm{trunc}\left(
           \frac{u[n-1] \, (4096 - \delta_u)}{4096}\right) + \mathrm{round}(J[n]) \\
       v[n] &= \mathrm{trunc}\left(
           \frac{v[n-1] \, (4096 - \delta_v)}{4096}\right) + u[n] + b

    A neuron spikes if :math:`v > 64 \, \theta`. Its voltage is 0 then, for as many
    steps as the refractory period has; the current goes on. These are the neurons of
    Davies et al. 2018 (https://doi.org/10.1109/MM.2018.112130359), as Michaelis et al.
    2022 (https://doi.org/10.3389/fninf.2022.1015624) describe them, and all numbers
    equal those of their ``brian2_loihi``. They are exact below :math:`2^{24}`, also in
    single precision; the chip has 24 bits with the sign.

    As on the chip, time is counted in steps: rates are spikes per step, and with the
    default amplitude a spike is 1, so that weights of connections between neurons are
    the integers that arrive. Spikes arrive a step later, with ``synapse=0`` in the
    connection. With an amplitude of ``1 / dt``, rates are in Hz, as those of other
    neuron types.

    Parameters
    ----------
    decay_u : int or array_like of shape (n_neurons,)
        Decay :math:`\delta_u` of the current, from 0 to 4096; by default, the current
        is forgotten after a step.
    decay_v : int or array_like of shape (n_neurons,)
        Decay :math:`\delta_v` of the voltage, from 0, the default, to 4096.
    threshold : int or array_like of shape (n_neurons,)
        Mantissa :math:`\theta` of the threshold, from 0 to 131071.
    refractory : int or array_like of shape (n_neurons,)
        Number of steps, from 1 to 64, from a spike to the next input.
    bias : int or array_like of shape (n_neurons,)
        Constant :math:`b` that is added to the voltage in each step.
    min_voltage : int or array_like of shape (n_neurons,)
        The lowest voltage, at most 0; by default, there is none.
    amplitude : float
        The output in the step of a spike.
    initial_state : dict
        Values or distributions for the states ``voltage``, ``current`` and
        ``refractory_time``, the number of steps in which the voltage stays as it is; by
        default 0.

    Raises
    ------
    ValidationError
        If a parameter is no whole number, or out of range.

    Examples
    --------
    .. testcode::

       with nengo.Network() as net:
           stimulus = nengo.Node([64 * 100])
           kind = nengo_dl.LoihiLIF(4096, 512, threshold=200, refractory=2)
           ens = nengo.Ensemble(1, 1, neuron_type=kind, gain=[1], bias=[0])
           nengo.Connection(stimulus, ens.neurons, synapse=None)
           spikes = nengo.Probe(ens.neurons)
           voltage = nengo.Probe(ens.neurons, "voltage")
       with nengo_dl.Simulator(net, progress_bar=False) as sim:
           sim.run_steps(6)
       print(sim.data[spikes].ravel(), sim.data[voltage].ravel())

    .. testoutput::

       [0. 0. 1. 0. 0. 0.] [ 6400. 12000.     0.     0.  6400. 12000.]
    """

    state = {
        "voltage": Choice([0]),
        "current": Choice([0]),
        "refractory_time": Choice([0]),
    }
    spiking = True
    negative = False

    decay_u = WholeNumbersParam("decay_u", low=0, high=ONE)
    decay_v = WholeNumbersParam("decay_v", low=0, high=ONE)
    threshold = WholeNumbersParam("threshold", low=0, high=MAX_THRESHOLD)
    refractory = WholeNumbersParam("refractory", low=1, high=MAX_REFRACTORY)
    bias = WholeNumbersParam("bias", low=-MAX_BIAS, high=MAX_BIAS)
    min_voltage = WholeNumbersParam("min_voltage", high=0)
    amplitude = NumberParam("amplitude", low=0, low_open=True)

    def __init__(
        self,
        decay_u: Any = ONE,
        decay_v: Any = 0,
        threshold: Any = 100,
        refractory: Any = 1,
        bias: Any = 0,
        min_voltage: Any = -np.inf,
        amplitude: float = 1,
        initial_state: dict[str, Any] | None = None,
    ):
        super().__init__(initial_state)
        self.decay_u = decay_u
        self.decay_v = decay_v
        self.threshold = threshold
        self.refractory = refractory
        self.bias = bias
        self.min_voltage = min_voltage
        self.amplitude = amplitude

    def step(self, dt, J, output, voltage, current, refractory_time):
        """Set ``output`` to the spikes for inputs ``J``, and change the state."""
        del dt

        def number(value):
            return np.asarray(value, dtype=J.dtype)

        current[...] = decayed(current, self.decay_u) + np.rint(J)
        held = refractory_time > 0
        moved = decayed(voltage, self.decay_v) + current + number(self.bias)
        moved = np.where(held, voltage, np.maximum(moved, number(self.min_voltage)))
        spiked = (moved > UNIT * number(self.threshold)) & ~held
        voltage[...] = np.where(spiked, 0, moved)
        left = np.maximum(refractory_time - 1, 0)
        refractory_time[...] = np.where(spiked, number(self.refractory) - 1, left)
        output[...] = self.amplitude * spiked

    # --- rates --------------------------------------------------------------------

    def rates(self, x, gain, bias):
        r"""Compute the rates for constant inputs, without their rounding to steps.

        .. math::
           r &= \frac{a}{\max(n + 1/2, 1) + t_{ref} - 1} \\
           n &= \log\left(1 - \frac{64 \theta \delta}{u}\right) / \log(1 - \delta)

        where :math:`u` is the steady input of the voltage, :math:`\delta` the part of
        it that decays in a step, and half a step the mean time from the threshold to
        the end of the step. A current that does not decay counts as one that does so by
        1 / 4096.
        """
        J = self.current(x, gain, bias)
        drive = J * (ONE / np.maximum(self.decay_u, 1)) + self.bias
        height, leak = self._height_and_leak()
        excess = drive - leak * height
        active = excess > 0
        safe = np.where(active, excess, 1)
        with np.errstate(divide="ignore", invalid="ignore"):
            leaky = np.log1p(leak * height / safe) / -np.log1p(-leak)
        n = np.where(leak > 0, leaky, height / safe)
        period = np.maximum(n + 0.5, 1) + self.refractory - 1
        return np.where(active, self.amplitude / period, 0)

    def gain_bias(self, max_rates, intercepts):
        """Return gains and biases for maximal rates and intercepts.

        Rates that the refractory period does not allow count as the highest that it
        does.
        """
        lowest, highest = self._input_for(0), self._input_for(max_rates)
        gain = (highest - lowest) / (1 - np.asarray(intercepts))
        return gain, lowest - gain * intercepts

    def max_rates_intercepts(self, gain, bias):
        """Return maximal rates and intercepts for gains and biases."""
        rates = self.rates(1, gain, bias).squeeze(axis=0)
        return rates, (self._input_for(0) - bias) / gain

    def _height_and_leak(self):
        """Return the threshold, and the part of the voltage that decays in a step."""
        return UNIT * np.asarray(self.threshold), np.asarray(self.decay_v) / ONE

    def _input_for(self, rates):
        """Return the constant input for rates."""
        height, leak = self._height_and_leak()
        with np.errstate(divide="ignore", invalid="ignore"):
            period = self.amplitude / np.asarray(rates, dtype=float)
            n = np.maximum(period - self.refractory + 0.5, 0.5)
            # without memory, neurons spike in each step above the threshold, or never
            forgotten = -np.expm1(n * np.log1p(-np.minimum(leak, 0.999)))
            leaky = leak * height / forgotten
        drive = np.where(leak > 0, leaky, height / n)
        return (drive - self.bias) * np.maximum(self.decay_u, 1) / ONE
