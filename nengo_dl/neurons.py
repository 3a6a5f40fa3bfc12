"""Neuron types that Nengo lacks, with their NumPy steps.

They run on every Nengo backend; ``nengo_dl/ops/neurons.py`` has their TensorFlow steps.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import nengo
import numpy as np
from nengo.dists import Choice, Uniform
from nengo.params import EnumParam, NumberParam, TupleParam
from scipy.special import erf

__all__ = [
    "IntegrateAndFire",
    "LeakyReLU",
    "Pointwise",
    "SoftLIFRate",
    "SpikingLeakyReLU",
]


def _elu(x, alpha=1.0):
    return np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0)))


def _gelu(x, approximate=False):
    if approximate:
        return 0.5 * x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)))
    return 0.5 * x * (1 + erf(x / np.sqrt(2)))


def _hard_sigmoid(x):
    return np.clip(x / 6 + 0.5, 0, 1)


def _relu(x, negative_slope=0.0, max_value=None, threshold=0.0):
    y = np.where(x >= threshold, x, negative_slope * (x - threshold))
    return y if max_value is None else np.minimum(y, max_value)


def _selu(x):
    return 1.05070098 * _elu(x, 1.67326324)


def _sigmoid(x):
    return 0.5 * (1 + np.tanh(0.5 * x))


def _soft_shrink(x, threshold=0.5):
    return np.sign(x) * np.maximum(np.abs(x) - threshold, 0)


def _softplus(x):
    return np.logaddexp(0, x)


def _sparse_plus(x):
    return np.where(x <= -1, 0, np.where(x >= 1, x, 0.25 * (x + 1) ** 2))


# The functions of ``keras.activations`` that work on each value for itself.
FUNCTIONS: dict[str, Callable[..., Any]] = {
    "celu": lambda x, alpha=1.0: _elu(x / alpha) * alpha,
    "elu": _elu,
    "exponential": lambda x: np.exp(x),  # ufuncs have no signature before NumPy 2.4
    "gelu": _gelu,
    "hard_shrink": lambda x, threshold=0.5: np.where(np.abs(x) > threshold, x, 0),
    "hard_sigmoid": _hard_sigmoid,
    "hard_silu": lambda x: x * _hard_sigmoid(x),
    "hard_tanh": lambda x: np.clip(x, -1, 1),
    "log_sigmoid": lambda x: -_softplus(-x),
    "mish": lambda x: x * np.tanh(_softplus(x)),
    "relu": _relu,
    "selu": _selu,
    "silu": lambda x: x * _sigmoid(x),
    "soft_shrink": _soft_shrink,
    "softplus": _softplus,
    "softsign": lambda x: x / (1 + np.abs(x)),
    "sparse_plus": _sparse_plus,
    "sparse_sigmoid": lambda x: np.clip(0.5 * (x + 1), 0, 1),
    "squareplus": lambda x, b=4: 0.5 * (x + np.sqrt(x**2 + b)),
    "tanh_shrink": lambda x: x - np.tanh(x),
    "threshold": lambda x, threshold, default_value: np.where(
        x > threshold, x, default_value
    ),
}


class SoftLIFRate(nengo.LIFRate):
    r"""LIF rates with a smooth onset at the firing threshold.

    .. math::
       r(J) &= \frac{a}{\tau_{ref} + \tau_{rc} \log(1 + 1 / z(J))} \\
       z(J) &= \sigma \log(1 + e^{(J - 1) / \sigma})

    The derivative is finite everywhere, and never zero, which suits training better
    than the infinite slope of `nengo.LIFRate` at the threshold and the zero below it
    (Hunsberger & Eliasmith 2015, Spiking deep networks with LIF neurons,
    https://arxiv.org/abs/1510.08829).

    Parameters
    ----------
    sigma : float
        Width of the onset, in units of current; positive. As it goes to zero, the rate
        becomes that of `nengo.LIFRate`.
    tau_rc : float
        Membrane time constant, in seconds.
    tau_ref : float
        Refractory period, in seconds.
    amplitude : float
        Factor :math:`a` on the output.
    initial_state : dict
        None or empty, because there is no state.

    Notes
    -----
    Gains and biases for given maximal rates and intercepts are those of LIF neurons, so
    that one type can replace the other; the rates at these points differ a little.

    Examples
    --------
    .. testcode::

       with nengo.Network() as net:
           ens = nengo.Ensemble(10, 1, neuron_type=nengo_dl.SoftLIFRate(sigma=0.1))
    """

    sigma = NumberParam("sigma", low=0, low_open=True)

    def __init__(
        self,
        sigma: float = 1.0,
        tau_rc: float = 0.02,
        tau_ref: float = 0.002,
        amplitude: float = 1,
        initial_state: dict[str, Any] | None = None,
    ):
        super().__init__(tau_rc, tau_ref, amplitude, initial_state)
        self.sigma = sigma

    def rates(self, x, gain, bias):
        """Compute the rates, which are the outputs themselves."""
        return nengo.neurons.NeuronType.rates(self, x, gain, bias)

    def step(self, dt, J, output):
        """Set ``output`` to the rates for currents ``J``."""
        del dt
        x = (J - 1) / self.sigma
        softplus = np.logaddexp(0, x)
        z = self.sigma * softplus
        # far below the threshold, log(softplus(x)) is x to rounding
        tail = x < -36
        log_z = np.log(self.sigma) + np.where(
            tail, x, np.log(np.where(tail, 1, softplus))
        )
        # log(1 + 1 / z), of which each form is exact on its side of 1
        ratio = np.where(
            z < 1, np.log1p(z) - log_z, np.log1p(1 / np.where(z < 1, 1, z))
        )
        output[...] = self.amplitude / (self.tau_ref + self.tau_rc * ratio)


class LeakyReLU(nengo.RectifiedLinear):
    r"""Rectified linear neurons with a small slope for negative currents.

    .. math:: r(J) = a J \; (J \ge 0), \qquad r(J) = a s J \; (J < 0)

    Maas, Hannun & Ng 2013, Rectifier nonlinearities improve neural network acoustic
    models, ICML Workshop on Deep Learning for Audio, Speech and Language Processing.

    Parameters
    ----------
    negative_slope : float
        Slope :math:`s` below zero.
    amplitude : float
        Factor :math:`a` on the output.
    initial_state : dict
        None or empty, because there is no state.
    """

    negative = True

    negative_slope = NumberParam("negative_slope")

    def __init__(
        self,
        negative_slope: float = 0.3,
        amplitude: float = 1,
        initial_state: dict[str, Any] | None = None,
    ):
        super().__init__(amplitude=amplitude, initial_state=initial_state)
        self.negative_slope = negative_slope

    def _current(self, J):
        """Compute the current that the rate is proportional to."""
        return np.where(J < 0, self.negative_slope * J, J)

    def step(self, dt, J, output):
        """Set ``output`` to the rates for currents ``J``."""
        del dt
        output[...] = self.amplitude * self._current(J)


class SpikingLeakyReLU(LeakyReLU):
    """Spiking version of `LeakyReLU`.

    Integrates the rate (without amplitude) and emits a spike for every unit passed, of
    the sign of the voltage and of height ``amplitude / dt``.

    Parameters
    ----------
    negative_slope : float
        Factor on negative currents.
    amplitude : float
        Factor on the output.
    initial_state : dict
        Values or distributions for the state ``voltage``; uniform on [0, 1] by default.
    """

    state = {"voltage": Uniform(low=0, high=1)}
    spiking = True

    def rates(self, x, gain, bias):
        """Compute the average rates, which are those of `LeakyReLU`."""
        J = self.current(x, gain, bias)
        return self.amplitude * self._current(J)

    # Nengo passes states by name, those that a type has
    def step(self, dt, J, output, voltage):  # type: ignore[override]
        """Set ``output`` to the spikes for currents ``J``, and change ``voltage``."""
        voltage += self._current(J) * dt
        n_spikes = np.trunc(voltage)
        output[...] = self.amplitude / dt * n_spikes
        voltage -= n_spikes


class IntegrateAndFire(nengo.RectifiedLinear):
    r"""Spiking neurons whose mean output follows a rectified current, signs and all.

    .. math::
       u &= \max(v[n-1] + J \, dt, \; v_{min}) \\
       s[n] &= \max(\lfloor u \rfloor, 0) \\
       v[n] &= u - s[n]

    and the output is :math:`a s[n] / dt`. Negative currents lower the voltage, so that
    after n steps at most one spike is missing or too many, in whatever order excitation
    and inhibition arrive. `nengo.SpikingRectifiedLinear` drops the negative part of its
    current in each step; inhibition by spikes is then lost in part, and rates come out
    too high. Starting at half the threshold, rounding is to the nearest number of
    spikes (Rueckauer et al. 2017, Conversion of continuous-valued deep networks to
    efficient event-driven networks, https://doi.org/10.3389/fnins.2017.00682; Bu et al.
    2022, Optimized potential initialization, https://doi.org/10.1609/aaai.v36i1.19874).

    Parameters
    ----------
    amplitude : float
        Factor :math:`a` on the output.
    min_voltage : float
        The lowest voltage :math:`v_{min}`, in units of the threshold; at most 0. By
        default there is none, and inhibition is never forgotten. With 0, a neuron can
        spike in the very step in which its current turns positive.
    initial_state : dict
        Values or distributions for the state ``voltage``, by default 0.5.

    Examples
    --------
    .. testcode::

       with nengo.Network() as net:
           stimulus = nengo.Node(lambda t: 2100 if t < 0.0025 else -700)
           ens = nengo.Ensemble(
               1, 1, neuron_type=nengo_dl.IntegrateAndFire(), gain=[1], bias=[0]
           )
           nengo.Connection(stimulus, ens.neurons, synapse=None)
           probe = nengo.Probe(ens.neurons)
       with nengo_dl.Simulator(net, progress_bar=False) as sim:
           sim.run_steps(4)
       print(sim.data[probe].ravel())

    .. testoutput::

       [2000. 2000.    0.    0.]
    """

    state = {"voltage": Choice([0.5])}
    spiking = True

    min_voltage = NumberParam("min_voltage", high=0)

    def __init__(
        self,
        amplitude: float = 1,
        min_voltage: float = -np.inf,
        initial_state: dict[str, Any] | None = None,
    ):
        super().__init__(amplitude=amplitude, initial_state=initial_state)
        self.min_voltage = min_voltage

    def rates(self, x, gain, bias):
        """Compute the average rates, which are those of `nengo.RectifiedLinear`."""
        return self.amplitude * np.maximum(self.current(x, gain, bias), 0)

    def step(self, dt, J, output, voltage):
        """Set ``output`` to the spikes for currents ``J``, and change ``voltage``."""
        voltage[...] = np.maximum(voltage + J * dt, self.min_voltage)
        n_spikes = np.maximum(np.floor(voltage), 0)
        output[...] = self.amplitude / dt * n_spikes
        voltage -= n_spikes


class ArgumentsParam(TupleParam):
    """A tuple that counts for whether two objects are equal."""

    equatable = True


class Pointwise(nengo.neurons.NeuronType):
    """Rate neurons that compute an activation function of Keras.

    Parameters
    ----------
    function : str
        Name of a function in ``keras.activations``; one of ``Pointwise.functions``.
    arguments : dict or tuple of (str, float)
        Its parameters besides the input.
    initial_state : dict
        None or empty, because there is no state.

    Raises
    ------
    ValidationError
        If there is no such function.

    Examples
    --------
    .. testcode::

       with nengo.Network() as net:
           elu = nengo_dl.neurons.Pointwise("elu", {"alpha": 0.5})
           ens = nengo.Ensemble(2, 1, neuron_type=elu, gain=[1, 1], bias=[-1, 1])
           probe = nengo.Probe(ens.neurons)
       with nengo_dl.Simulator(net, progress_bar=False) as sim:
           sim.run_steps(1)
       print(sim.data[probe].round(3))

    .. testoutput::

       [[-0.316  1.   ]]
    """

    negative = True
    functions = FUNCTIONS

    function: Any = EnumParam("function", values=FUNCTIONS, lower=False)
    arguments: Any = ArgumentsParam("arguments")

    def __init__(
        self,
        function: str,
        arguments: Mapping[str, float] | Iterable[tuple[str, float]] = (),
        initial_state: dict[str, Any] | None = None,
    ):
        super().__init__(initial_state)
        self.function = function
        self.arguments = tuple(sorted(dict(arguments).items()))

    def max_rates_intercepts(self, gain, bias):
        """Return the output for 1, and no intercepts, which need not exist."""
        return self.rates(1, gain, bias).squeeze(axis=0), np.full_like(gain, -np.inf)

    def step(self, dt, J, output):
        """Set ``output`` to the function of the currents ``J``."""
        del dt
        output[...] = FUNCTIONS[self.function](J, **dict(self.arguments))
