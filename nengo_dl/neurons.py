"""Neuron types that Nengo lacks, with their NumPy steps.

They run on every Nengo backend; ``nengo_dl/ops/neurons.py`` has their TensorFlow steps.
"""

import nengo
import numpy as np
from nengo.dists import Uniform
from nengo.params import NumberParam


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
        self, sigma=1.0, tau_rc=0.02, tau_ref=0.002, amplitude=1, initial_state=None
    ):
        super().__init__(tau_rc, tau_ref, amplitude, initial_state)
        self.sigma = sigma

    def rates(self, x, gain, bias):
        """Compute the rates, which are the outputs themselves."""
        J = self.current(x, gain, bias)
        output = np.zeros_like(J)
        self.step(dt=1, J=J, output=output)
        return output

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

    def __init__(self, negative_slope=0.3, amplitude=1, initial_state=None):
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

    def step(self, dt, J, output, voltage):
        """Set ``output`` to the spikes for currents ``J``, and change ``voltage``."""
        voltage += self._current(J) * dt
        n_spikes = np.trunc(voltage)
        output[...] = self.amplitude / dt * n_spikes
        voltage -= n_spikes
