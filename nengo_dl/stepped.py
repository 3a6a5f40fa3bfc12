"""Neurons that are defined by what they do in a step, as in most spiking frameworks.

The equations of `nengo.LIF` are those of a neuron in continuous time, solved exactly.
Other frameworks write down a recursion, and their networks mean that recursion. Both
types here run on every Nengo backend; ``nengo_dl/ops/stepped.py`` has their TensorFlow
steps.
"""

from typing import Any

import numpy as np
from nengo.dists import Choice
from nengo.exceptions import ValidationError
from nengo.params import BoolParam, EnumParam, NumberParam

from nengo_dl.numbers_param import HeterogeneousNeuronType, NumbersParam

__all__ = ["SteppedLI", "SteppedLIF"]

RESETS = ("zero", "subtract", "snntorch")


def decay(tau, length, discretization):
    """Return what is left after a step of what decays with a time constant.

    Parameters
    ----------
    tau : array_like
        Time constants; 0 for what is forgotten at once.
    length : float
        Of a step, in the same unit.
    discretization : "euler" or "exact"
        How the decay follows from the two.

    Returns
    -------
    decay : ndarray of float64, of the shape of ``tau``

    Raises
    ------
    ValidationError
        If Euler's method gives a negative factor.
    """
    tau = np.asarray(tau, dtype=float)
    with np.errstate(divide="ignore"):
        if discretization == "exact":
            return np.exp(-length / tau)
        # some files hold single precision, in which a step may be a little longer
        left = np.where(tau == 0, 0, 1 - length / tau)
    if np.any(left < -1e-6):
        raise ValidationError(
            f"expected time constants of at least a step of {length:g} with Euler's "
            f"method (got {np.min(tau[left < 0]):g}). Use a smaller dt, or exact "
            "decays.",
            attr="tau",
        )
    return np.maximum(left, 0)


class SteppedLI(HeterogeneousNeuronType):
    r"""Leaky integrators: voltages that are the output, without spikes.

    .. math::
       I[n] &= a I[n-1] + J[n] T \\
       v[n] &= b v[n-1] + I[n] T + (1 - b) v_{leak}

    with :math:`I = J` if there is no synapse. Decays are
    :math:`a = 1 - T / \tau_{syn}` and :math:`b = 1 - T / \tau_{rc}` with Euler's
    method, :math:`e^{-T / \tau}` if they are exact. T is the time step ``dt`` of the
    simulation, or 1 if the unit of time is the step.

    Parameters
    ----------
    tau_rc : float or array_like of shape (n_neurons,)
        Membrane time constant, in seconds or steps; infinite (the default) if nothing
        leaks.
    tau_syn : float or array_like of shape (n_neurons,)
        Time constant of the current, in seconds or steps; 0 (the default) for no
        synapse.
    v_leak : float or array_like of shape (n_neurons,)
        Voltage without any input.
    discretization : "euler" or "exact"
        How decays follow from time constants.
    unit : "second" or "step"
        Of the time constants and in the currents, which are voltages per unit of time.
    amplitude : float
        Factor on the output.
    initial_state : dict
        Values or distributions for the states ``voltage`` and ``current``, by default
        0. Without a synapse, the current stays as it is, and is not used.

    Raises
    ------
    ValidationError
        If a time constant is negative, or, with Euler's method, less than a step.

    Examples
    --------
    .. testcode::

       with nengo.Network() as net:
           kind = nengo_dl.SteppedLI(tau_rc=[2, 4], unit="step")
           ens = nengo.Ensemble(2, 1, neuron_type=kind, gain=[1, 1], bias=[1, 1])
           probe = nengo.Probe(ens.neurons)
       with nengo_dl.Simulator(net, progress_bar=False) as sim:
           sim.run_steps(3)
       print(sim.data[probe])

    .. testoutput::

       [[1.     1.    ]
        [1.5    1.75  ]
        [1.75   2.3125]]
    """

    state = {"voltage": Choice([0]), "current": Choice([0])}
    negative = True

    tau_rc = NumbersParam("tau_rc", low=0, is_open=True)
    tau_syn = NumbersParam("tau_syn", low=0)
    v_leak = NumbersParam("v_leak")
    discretization = EnumParam("discretization", values=("euler", "exact"))
    unit = EnumParam("unit", values=("second", "step"))
    amplitude = NumberParam("amplitude", low=0, low_open=True)

    def __init__(
        self,
        tau_rc: Any = np.inf,
        tau_syn: Any = 0.0,
        v_leak: Any = 0.0,
        discretization: str = "euler",
        unit: str = "second",
        amplitude: float = 1,
        initial_state: dict[str, Any] | None = None,
    ):
        super().__init__(initial_state)
        self.tau_rc = tau_rc
        self.tau_syn = tau_syn
        self.v_leak = v_leak
        self.discretization = discretization
        self.unit = unit
        self.amplitude = amplitude

    def time_step(self, dt):
        """Return the length of a step in the unit of time."""
        return 1.0 if self.unit == "step" else dt

    def decays(self, dt):
        """Return factors on current and voltage in a step, in double precision.

        The first is 0 where there is no synapse.
        """
        length, method = self.time_step(dt), self.discretization
        return decay(self.tau_syn, length, method), decay(self.tau_rc, length, method)

    def integrate(self, dt, J, voltage, current):
        """Move voltages and currents by one step."""
        length, decays = self.time_step(dt), self.decays(dt)
        a, b = (np.asarray(x, dtype=J.dtype) for x in decays)
        leak = np.asarray((1 - decays[1]) * self.v_leak, dtype=J.dtype)
        has_synapse = np.asarray(self.tau_syn) > 0
        if np.any(has_synapse):
            current[...] = np.where(has_synapse, a * current + J * length, current)
            J = np.where(has_synapse, current, J)
        voltage[...] = b * voltage + J * length
        if np.any(leak):
            voltage += leak

    def drive(self, J):
        """Return the steady voltage without leak, per unit of the time constant."""
        return J * np.where(np.asarray(self.tau_syn) > 0, self.tau_syn, 1)

    def rates(self, x, gain, bias):
        """Compute the output for constant inputs, which is infinite without a leak."""
        J = self.drive(self.current(x, gain, bias))
        with np.errstate(invalid="ignore"):
            return self.amplitude * (np.where(J == 0, 0, J * self.tau_rc) + self.v_leak)

    def gain_bias(self, max_rates, intercepts):
        """Return gains and biases for outputs at 1, and inputs without output."""
        tau = np.where(np.isinf(self.tau_rc), 1, self.tau_rc)
        top = np.asarray(max_rates) / self.amplitude
        gain = top / (1 - np.asarray(intercepts)) / self.drive(tau)
        return gain, -gain * intercepts - self.v_leak / self.drive(tau)

    def max_rates_intercepts(self, gain, bias):
        """Return the output for 1, and the inputs without output."""
        tau = np.where(np.isinf(self.tau_rc), 1, self.tau_rc)
        offset = bias + self.v_leak / self.drive(tau)
        return (gain + offset) * self.drive(tau) * self.amplitude, -offset / gain

    def step(self, dt, J, output, voltage, current):
        """Set ``output`` to the voltages, and change the state."""
        self.integrate(dt, J, voltage, current)
        output[...] = self.amplitude * voltage


class SteppedLIF(SteppedLI):
    r"""Integrate-and-fire neurons, with or without leak and synapse, step by step.

    .. math::
       I[n] &= a I[n-1] + J[n] T \\
       u &= b v[n-1] + I[n] T + (1 - b) v_{leak} \\
       s[n] &= \text{number of spikes, if } u > \theta \text{; else } 0 \\
       v[n] &= \max(\text{reset}(u, s[n]), v_{min})

    with decays and T as in `SteppedLI`, and :math:`I = J` if there is no synapse. The
    output is :math:`a s[n] / T`. These are the neurons of NIR (Pedersen et al. 2024,
    https://doi.org/10.1038/s41467-024-52259-9), and of the frameworks that read and
    write it, with the details in which these differ as parameters.

    Parameters
    ----------
    tau_rc : float or array_like of shape (n_neurons,)
        Membrane time constant, in seconds or steps; infinite (the default) if nothing
        leaks.
    tau_syn : float or array_like of shape (n_neurons,)
        Time constant of the current, in seconds or steps; 0 (the default) for no
        synapse.
    threshold : float or array_like of shape (n_neurons,)
        Voltage :math:`\theta` above which a neuron spikes.
    v_reset : float or array_like of shape (n_neurons,)
        Voltage after a spike, where ``reset`` is "zero".
    v_leak : float or array_like of shape (n_neurons,)
        Voltage without any input.
    reset : "zero" or "subtract" or "snntorch"
        "zero" sets the voltage to ``v_reset``, "subtract" subtracts the threshold for
        each spike. "snntorch" does that, too; but where the voltage is still above the
        threshold afterwards, it takes twice the threshold to spike in the next step.
    max_spikes : float
        Most spikes in a step; infinite for as many as there are thresholds in the
        voltage.
    min_voltage : float or array_like of shape (n_neurons,)
        The lowest voltage, :math:`v_{min}`.
    strict : bool
        Whether a voltage at the threshold is too low for a spike.
    discretization : "euler" or "exact"
        How decays follow from time constants.
    unit : "second" or "step"
        Of the time constants, in the currents, which are voltages per unit of time, and
        in the output, which is the number of spikes per unit of time.
    amplitude : float
        Factor :math:`a` on the output.
    initial_state : dict
        Values or distributions for the states ``voltage`` and ``current``, by default
        0. Without a synapse, the current stays as it is, and is not used.

    Raises
    ------
    ValidationError
        If a parameter is out of range, or a time constant, with Euler's method, less
        than a step.

    Examples
    --------
    .. testcode::

       with nengo.Network() as net:
           kind = nengo_dl.SteppedLIF(tau_rc=4, reset="subtract", unit="step")
           ens = nengo.Ensemble(1, 1, neuron_type=kind, gain=[1], bias=[0.5])
           spikes = nengo.Probe(ens.neurons)
           voltage = nengo.Probe(ens.neurons, "voltage")
       with nengo_dl.Simulator(net, progress_bar=False) as sim:
           sim.run_steps(4)
       print(sim.data[spikes].ravel(), sim.data[voltage].ravel())

    .. testoutput::

       [0. 0. 1. 0.] [0.5       0.875     0.15625   0.6171875]
    """

    spiking = True
    negative = False

    threshold = NumbersParam("threshold", low=0, is_open=True)
    v_reset = NumbersParam("v_reset")
    reset = EnumParam("reset", values=RESETS)
    max_spikes = NumberParam("max_spikes", low=1)
    min_voltage = NumbersParam("min_voltage")
    strict = BoolParam("strict")

    def __init__(
        self,
        tau_rc: Any = np.inf,
        tau_syn: Any = 0.0,
        threshold: Any = 1.0,
        v_reset: Any = 0.0,
        v_leak: Any = 0.0,
        reset: str = "zero",
        max_spikes: float = 1,
        min_voltage: Any = -np.inf,
        strict: bool = True,
        discretization: str = "euler",
        unit: str = "second",
        amplitude: float = 1,
        initial_state: dict[str, Any] | None = None,
    ):
        super().__init__(
            tau_rc, tau_syn, v_leak, discretization, unit, amplitude, initial_state
        )
        self.threshold = threshold
        self.v_reset = v_reset
        self.reset = reset
        self.max_spikes = max_spikes
        self.min_voltage = min_voltage
        self.strict = strict
        if reset == "zero" and np.any(np.asarray(v_reset) >= threshold):
            raise ValidationError(
                f"must be below the threshold of {threshold} (got {v_reset}). Neurons "
                "would spike in each step otherwise.",
                attr="v_reset",
                obj=self,
            )

    def rates(self, x, gain, bias):
        """Compute the rates for constant inputs, as if steps were short."""
        drive = self.drive(self.current(x, gain, bias))
        low = np.asarray(self.v_reset) if self.reset == "zero" else 0.0
        with np.errstate(divide="ignore", invalid="ignore"):
            final = drive * self.tau_rc + self.v_leak
            excess = np.where(final > self.threshold, final - self.threshold, np.inf)
            leaky = 1 / (self.tau_rc * np.log1p((self.threshold - low) / excess))
            leaky = np.where(final > self.threshold, leaky, 0)
        plain = np.maximum(drive, 0) / (self.threshold - low)
        rates = np.where(np.isinf(self.tau_rc), plain, leaky)
        most = self.max_spikes if self.unit == "step" else np.inf
        return self.amplitude * np.minimum(rates, most)

    def gain_bias(self, max_rates, intercepts):
        """Return gains and biases for maximal rates and intercepts."""
        lowest, highest = self._drive_for(0), self._drive_for(max_rates)
        scale = self.drive(1.0)
        gain = (highest - lowest) / scale / (1 - np.asarray(intercepts))
        return gain, lowest / scale - gain * intercepts

    def max_rates_intercepts(self, gain, bias):
        """Return maximal rates and intercepts for gains and biases."""
        rates = self.rates(1, gain, bias).squeeze(axis=0)
        return rates, (self._drive_for(0) / self.drive(1.0) - bias) / gain

    def _drive_for(self, rates):
        """Return the steady voltage per unit of the time constant for rates."""
        rates = np.asarray(rates, dtype=float) / self.amplitude
        low = np.asarray(self.v_reset) if self.reset == "zero" else 0.0
        with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
            beyond = (self.threshold - low) / np.expm1(1 / (self.tau_rc * rates))
            leaky = (self.threshold + beyond - self.v_leak) / self.tau_rc
        plain = rates * (self.threshold - low)
        return np.where(np.isinf(self.tau_rc), plain, leaky)

    def step(self, dt, J, output, voltage, current):
        """Set ``output`` to the spikes for currents ``J``, and change the state."""
        threshold = np.asarray(self.threshold, dtype=J.dtype)
        # where one reset was not enough, another one comes first
        late = (voltage > threshold).astype(J.dtype) * (self.reset == "snntorch")
        self.integrate(dt, J, voltage, current)
        voltage -= late * threshold
        n_spikes = self._count(voltage, threshold)
        if self.reset == "zero":
            reset = np.asarray(self.v_reset, dtype=J.dtype)
            voltage[...] = np.where(n_spikes > 0, reset, voltage)
        else:
            voltage -= (n_spikes - late) * threshold
        if np.any(np.asarray(self.min_voltage) > -np.inf):
            voltage[...] = floor(voltage, np.asarray(self.min_voltage, dtype=J.dtype))
        output[...] = self.amplitude / self.time_step(dt) * n_spikes

    def _count(self, voltage, threshold):
        if self.max_spikes == 1:
            spiked = voltage > threshold if self.strict else voltage >= threshold
            return spiked.astype(voltage.dtype)
        height = voltage / threshold
        count = np.ceil(height) - 1 if self.strict else np.floor(height)
        return np.clip(count, 0, self.max_spikes)


def floor(voltage, lowest):
    """Return voltages that are at least the lowest ones.

    Voltages are moved there and back, as in the frameworks whose neurons have a floor:
    that rounds them, and all spikes are theirs only if this rounding is.
    """
    safe = np.where(np.isinf(lowest), 0, lowest).astype(voltage.dtype)
    return np.where(np.isinf(lowest), voltage, np.maximum(voltage - safe, 0) + safe)
