"""Lines: firing rates and decoded values over time, and tuning curves."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Real
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import nengo
import numpy as np
from nengo.utils.ensemble import response_curves, tuning_curves
from numpy.typing import ArrayLike

from nengo_dl.errors import InvalidValue, argument
from nengo_dl.plots.axes import axes, draw_lines, label_time, line_colours, times_of
from nengo_dl.plots.data import check_item, checked, numbers_of, per_neuron, select

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@argument("rates")
def rates(
    data: ArrayLike,
    neurons: int | Sequence[int] = 5,
    *,
    synapse: float | nengo.synapses.Synapse | None = 0.02,
    item: int = 0,
    amplitude: ArrayLike = 1.0,
    dt: float = 0.001,
    ax: Axes | None = None,
) -> Axes:
    """Draw firing rates over time, one line for each neuron.

    Parameters
    ----------
    data : array_like of shape (n_steps, n_neurons) or (minibatch_size, n_steps, \
n_neurons)
        Spikes, or rates, as a probe of neurons records them.
    neurons : int or sequence of int
        How many neurons to draw at most, evenly spaced, or the numbers of those to draw
        (see `most_active`).
    synapse : float, Synapse or None
        What the spikes are filtered with: the time constant of a lowpass filter in
        seconds, another synapse, or None for data that has rates already.
    item : int
        Which item of the minibatch to draw.
    amplitude : float or array_like of shape (n_neurons,)
        Amplitude of the neuron type, which the data is divided by to have Hz.
    dt : float
        Time between two steps of the data, in seconds.
    ax : Axes
        Where to draw.

    Returns
    -------
    ax : Axes
        With one line for each neuron, in Hz.

    Raises
    ------
    ValidationError
        If the data has another shape, the synapse is not valid, or there is no such
        item or neuron.

    Examples
    --------
    .. testcode::

       with nengo.Network(seed=0) as net:
           ens = nengo.Ensemble(30, 1)
           spikes = nengo.Probe(ens.neurons)

       with nengo_dl.Simulator(net, progress_bar=False) as sim:
           sim.run(0.1)
           busiest = nengo_dl.plots.most_active(sim.data[spikes], 3)
           ax = nengo_dl.plots.rates(sim.data[spikes], busiest, synapse=0.03)
    """
    values = select(data, item)
    numbers = numbers_of(neurons, values.shape[1])
    amplitudes = per_neuron(amplitude, values.shape[1])
    values = _filter((values / amplitudes)[:, numbers], synapse, dt)
    ax = axes(ax)
    draw_lines(ax, times_of(len(values), dt), values, _names(numbers))
    label_time(ax, len(values), dt)
    ax.set(ylabel="firing rate (Hz)")
    return ax


@argument("tuning")
def tuning(
    ens: nengo.Ensemble,
    sim: Any,
    neurons: int | Sequence[int] = 50,
    *,
    inputs: ArrayLike | None = None,
    item: int = 0,
    ax: Axes | None = None,
) -> Axes:
    """Draw tuning curves: what an ensemble represents against firing rates.

    In one dimension, the rates of all neurons at the same values. In several, each
    neuron's rate for values along its own encoder.

    Parameters
    ----------
    ens : Ensemble
        One with neurons.
    sim : `Simulator` or nengo.Simulator
        Has built the ensemble, and knows its parameters.
    neurons : int or sequence of int
        How many neurons to draw at most, evenly spaced, or the numbers of those to
        draw.
    inputs : array_like of shape (n_points,)
        Values to evaluate at, by default 200 from ``-radius`` to ``radius``; in several
        dimensions in multiples of the radius, from -1 to 1.
    item : int
        Which item of the minibatch to draw, where items have learned different
        encoders.
    ax : Axes
        Where to draw.

    Returns
    -------
    ax : Axes
        With one line for each neuron, in Hz.

    Raises
    ------
    ValidationError
        If the ensemble has no neurons, there is no such item or neuron, or the inputs
        have another shape.

    Examples
    --------
    .. testcode::

       with nengo.Network(seed=0) as net:
           ens = nengo.Ensemble(20, 1)

       with nengo_dl.Simulator(net, progress_bar=False) as sim:
           ax = nengo_dl.plots.tuning(ens, sim)
    """
    if not isinstance(ens, nengo.Ensemble):
        raise InvalidValue(
            f"expected an ensemble, and the simulator after it (got {ens!r} of type "
            f"{type(ens).__name__}). Call tuning(ens, sim)."
        )
    if isinstance(ens.neuron_type, nengo.Direct):
        raise InvalidValue(
            f"expected an ensemble with neurons (got {ens} with neuron type Direct). "
            "Give it another neuron type."
        )
    numbers = numbers_of(neurons, ens.n_neurons)
    built = SimpleNamespace(data={ens: _built_item(sim.data[ens], item)})
    is_line = ens.dimensions == 1
    if inputs is None:
        inputs = np.linspace(-1, 1, 200) * (ens.radius if is_line else 1)
    x = _check_inputs(inputs)
    if is_line:
        label, activities = "represented value", tuning_curves(ens, built, x[:, None])
    else:
        label = "represented value along the encoder (radii)"
        activities = response_curves(ens, built, x)
    values = activities[1][:, numbers] / _amplitude(ens.neuron_type)
    ax = axes(ax)
    draw_lines(ax, x, values, _names(numbers))
    ax.set(xlabel=label, ylabel="firing rate (Hz)", xlim=(x.min(), x.max()))
    return ax


@argument("decoded")
def decoded(
    data: ArrayLike,
    target: ArrayLike | None = None,
    *,
    item: int = 0,
    spread: bool = False,
    dt: float = 0.001,
    ax: Axes | None = None,
) -> Axes:
    """Draw decoded values over time, one line for each dimension.

    Parameters
    ----------
    data : array_like of shape (n_steps, size) or (minibatch_size, n_steps, size)
        Decoded values, as a probe records them.
    target : array_like of the shape of the data, or of one item
        What the values should be, drawn as dashed lines.
    item : int
        Which item of the minibatch to draw.
    spread : bool
        If True, the mean over all items of the minibatch is drawn instead of one item,
        in a band of one standard deviation to either side.
    dt : float
        Time between two steps of the data, in seconds.
    ax : Axes
        Where to draw.

    Returns
    -------
    ax : Axes
        With one line for each dimension, and with as many dashed lines before it if
        there is a target.

    Raises
    ------
    ValidationError
        If the data or the target has another shape, there is no such item, or there are
        no items to average over.

    Examples
    --------
    .. testcode::

       with nengo.Network(seed=0) as net:
           stimulus = nengo.Node(lambda t: np.sin(20 * t))
           ens = nengo.Ensemble(50, 1)
           probe = nengo.Probe(ens, synapse=0.01)
           nengo.Connection(stimulus, ens)

       with nengo_dl.Simulator(net, progress_bar=False) as sim:
           sim.run(0.3)
           target = np.sin(20 * sim.trange())[:, None]
           ax = nengo_dl.plots.decoded(sim.data[probe], target)
    """
    if spread and np.ndim(data) != 3:
        raise InvalidValue(
            "expected data of shape (minibatch_size, n_steps, size) with spread=True "
            f"(got {np.shape(data)}). Leave out spread."
        )
    values = _middle(data, item, spread)
    n_steps, size = values.shape
    times, colours = times_of(n_steps, dt), line_colours(size)
    ax = axes(ax)
    if target is not None:
        expected = _middle(target, item if np.ndim(target) == 3 else 0, spread)
        _check_target(expected, values)
        for line, colour in zip(expected.T, colours, strict=True):
            ax.plot(times, line, "--", color=colour, linewidth=1, alpha=0.7)
        ax.plot([], [], "--", color="0.3", linewidth=1, label="target")
    if spread:
        deviations = np.std(np.asarray(data), axis=0).T
        for line, deviation, colour in zip(values.T, deviations, colours, strict=True):
            band = (line - deviation, line + deviation)
            ax.fill_between(times, *band, color=colour, alpha=0.25, linewidth=0)
    names = ["decoded"] if size == 1 else [f"dimension {i}" for i in range(size)]
    draw_lines(ax, times, values, names)
    label_time(ax, n_steps, dt)
    ax.set(ylabel="decoded value")
    return ax


def _middle(data, item, spread):
    """Return the mean of all items, or one of them, of shape (n_steps, size)."""
    values = checked(data)
    if spread and values.ndim == 3:
        return values.mean(axis=0)
    return select(values, item)


def _check_target(target, values):
    if target.shape != values.shape:
        raise InvalidValue(
            f"expected a target of shape {values.shape} for each item (got "
            f"{target.shape}). Give it a value for each step and dimension."
        )


def _check_inputs(inputs):
    """Return the points of the horizontal axis."""
    x = np.asarray(inputs, dtype=float)
    if x.ndim != 1 or x.size == 0:
        raise InvalidValue(
            f"expected inputs of shape (n_points,) (got {x.shape}). Pass values on a "
            "line, e.g. np.linspace(-1, 1)."
        )
    return x


def _filter(values, synapse, dt):
    """Return the values filtered with a synapse, or a lowpass of a time constant."""
    if synapse is None:
        return values
    if isinstance(synapse, Real) and float(synapse) >= 0:
        synapse = nengo.Lowpass(synapse)
    if not isinstance(synapse, nengo.synapses.Synapse):
        raise InvalidValue(
            "expected a time constant in seconds, a nengo.synapses.Synapse or None as "
            f"synapse (got {synapse!r}). Pass e.g. synapse=0.02."
        )
    return synapse.filt(values, dt=dt)


def _built_item(built, item):
    """Return an ensemble's parameters, those of one item if items differ."""
    if built.encoders.ndim == 2:
        return built
    check_item(item, len(built.encoders))
    return SimpleNamespace(
        encoders=built.encoders[item], gain=built.gain[item], bias=built.bias[item]
    )


def _amplitude(neuron_type):
    """Return the factor of a neuron type's rates on those in Hz."""
    if isinstance(neuron_type, nengo.neurons.RatesToSpikesNeuronType):
        return 1.0  # its rates are those of the base type, and mean spikes
    return getattr(neuron_type, "amplitude", 1.0)


def _names(numbers):
    return [f"neuron {number}" for number in numbers]
