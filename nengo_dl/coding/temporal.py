"""Codes in which the times of spikes tell numbers, or their changes."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from nengo_dl.coding import checks
from nengo_dl.errors import argument, arguments_of


@dataclass(frozen=True)
class Latency:
    r"""One spike for each number, the earlier the larger the number is.

    Linear by default: a number :math:`x` has its spike :math:`(1 - x) T` after the
    first step, where :math:`T` is the time from the first step to the last. With
    ``tau``, the spike is where a leaky integrator with input :math:`x` reaches
    ``threshold`` :math:`\theta`, at :math:`\tau \ln(x / (x - \theta))` [1]_. Numbers
    for which that takes too long have no spike.

    Parameters
    ----------
    n_steps : int
        Number of steps of a presentation.
    dt : float
        Length of a step, in seconds.
    tau : float, optional
        Time constant in seconds; None for the linear code.
    threshold : float
        Threshold of the integrator. Only used with ``tau``.

    Raises
    ------
    ValidationError
        If an argument is out of range.

    References
    ----------
    .. [1] Thorpe, S., Delorme, A. and Van Rullen, R. (2001). Spike-based strategies for
       rapid processing. Neural Networks 14(6-7), 715-725.
       https://doi.org/10.1016/S0893-6080(01)00083-1

    Examples
    --------
    .. testcode::

       code = nengo_dl.coding.Latency(n_steps=5)
       spikes = code.encode([[1.0, 0.5, 0.0]])
       print(spikes[0].T)
       print(code.decode(spikes))

    .. testoutput::

       [[1. 0. 0. 0. 0.]
        [0. 0. 1. 0. 0.]
        [0. 0. 0. 0. 1.]]
       [[1.  0.5 0. ]]
    """

    n_steps: int
    dt: float = 0.001
    tau: float | None = None
    threshold: float = 0.01

    def __post_init__(self) -> None:
        checks.checked_fields(
            self, n_steps=checks.n_steps, dt=checks.positive, threshold=checks.positive
        )
        if self.tau is not None:
            checks.checked_fields(self, tau=checks.positive)

    def encode(self, values: Any) -> np.ndarray:
        """Return one spike, or none, for each number.

        Parameters
        ----------
        values : array of shape (n_items, ...)
            Numbers from 0 to 1.

        Returns
        -------
        spikes : ndarray of float32, of shape (n_items, n_steps, ...)
            1 in the step of the spike, and 0 in all others.

        Raises
        ------
        ValidationError
            If values are out of range.
        """
        with arguments_of(type(self)), argument("values"):
            array = checks.numbers(values, 0, 1)
        if self.tau is None:
            times = (1 - array) * (self.n_steps - 1)
        else:
            # what never reaches the threshold comes after all steps
            drive = np.maximum(array - self.threshold, np.finfo(float).tiny)
            times = self.tau / self.dt * np.log(np.maximum(array / drive, 1))
            times = np.where(array > self.threshold, times, self.n_steps)
        steps = np.arange(self.n_steps).reshape(1, -1, *[1] * (array.ndim - 1))
        return (np.rint(times)[:, None] == steps).astype(np.float32)

    def decode(self, spikes: Any) -> np.ndarray:
        """Return the numbers whose spikes come when the first ones do.

        Parameters
        ----------
        spikes : array of shape (n_items, n_steps, ...)
            What is larger than 0 is a spike.

        Returns
        -------
        values : ndarray of shape (n_items, ...)
            From 0 to 1; 0 where there is no spike.
        """
        is_spike = checks.trains(spikes, self) > 0
        first = np.argmax(is_spike, axis=1).astype(np.float64)
        if self.tau is None:
            values = 1 - first / max(self.n_steps - 1, 1)
        else:
            # a spike in the first step can come from all large numbers: this is 1
            rise = -np.expm1(-first * self.dt / self.tau)
            values = np.minimum(self.threshold / np.maximum(rise, self.threshold), 1)
        return np.where(is_spike.any(axis=1), values, 0.0)


@dataclass(frozen=True)
class Delta:
    r"""Events where a signal has changed by a threshold, as in event cameras.

    Whenever the signal differs by :math:`\theta` or more from where it was at the last
    event, there is an event, of the sign of the change [1]_ [2]_. A change by several
    thresholds in a step is as many events.

    Parameters
    ----------
    threshold : float
        :math:`\theta`, in the unit of the signal.

    Raises
    ------
    ValidationError
        If the threshold is not positive.

    References
    ----------
    .. [1] Miskowicz, M. (2006). Send-on-delta concept: an event-based data reporting
       strategy. Sensors 6(1), 49-63. https://doi.org/10.3390/s6010049
    .. [2] Lichtsteiner, P., Posch, C. and Delbruck, T. (2008). A 128x128 120 dB 15 us
       latency asynchronous temporal contrast vision sensor. IEEE Journal of Solid-State
       Circuits 43(2), 566-576. https://doi.org/10.1109/JSSC.2007.914337

    Examples
    --------
    .. testcode::

       code = nengo_dl.coding.Delta(threshold=0.5)
       signal = np.array([[0.0, 0.2, 0.6, 1.7, 0.9]])
       events = code.encode(signal)
       print(events)
       print(code.decode(events))

    .. testoutput::

       [[ 0.  0.  1.  2. -1.]]
       [[0.  0.  0.5 1.5 1. ]]
    """

    threshold: float

    def __post_init__(self) -> None:
        checks.checked_fields(self, threshold=checks.positive)

    def encode(self, signal: Any) -> np.ndarray:
        """Return events.

        Parameters
        ----------
        signal : array of shape (n_items, n_steps, ...)
            The first step has no events: it is what later ones are compared with.

        Returns
        -------
        events : ndarray of float32, of the same shape
            Numbers of events, negative where the signal falls.

        Raises
        ------
        ValidationError
            If the signal is not finite, or has no steps.
        """
        with arguments_of(type(self)), argument("signal"):
            array = checks.numbers(signal, -np.inf, np.inf)
        array = checks.trains(array, self)
        events = np.zeros(array.shape)
        # in units of the threshold, where the last events have led
        position = (array - array[:, :1]) / self.threshold
        reached = np.zeros_like(position[:, 0])
        for i in range(array.shape[1]):
            # a billionth, so that a change by just the threshold is one
            change = position[:, i] - reached
            events[:, i] = np.trunc(change + np.sign(change) * 1e-9)
            reached += events[:, i]
        return events.astype(np.float32)

    def decode(self, events: Any, start: Any = 0.0) -> np.ndarray:
        """Return the signal, to within the threshold.

        Parameters
        ----------
        events : array of shape (n_items, n_steps, ...)
            Numbers of events.
        start : float or array
            The signal in the first step, of a shape that broadcasts to (n_items, ...).

        Returns
        -------
        signal : ndarray of shape (n_items, n_steps, ...)
        """
        changes = np.cumsum(checks.trains(events, self), axis=1, dtype=np.float64)
        return np.expand_dims(np.asarray(start), 1 if np.ndim(start) else 0) + (
            self.threshold * changes
        )
