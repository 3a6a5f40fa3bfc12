"""The parameters of a network: what training and learning rules may change.

`get_nengo_params` writes their current values as keyword arguments of Nengo objects,
and `freeze_params` as attributes of the simulated ones. Only public values are read:
``sim.data`` and ``sim.model``.
"""

import functools
import inspect
from collections.abc import Iterable
from dataclasses import dataclass

import nengo
import numpy as np
from nengo.ensemble import Neurons
from nengo.neurons import Direct
from nengo.solvers import NoSolver
from nengo.transforms import (
    Convolution,
    ConvolutionTranspose,
    Dense,
    Sparse,
    SparseMatrix,
)


class FixedWeights(NoSolver):
    """Full weights between the neurons of two ensembles that are given, not solved for.

    Parameters
    ----------
    values : ndarray of shape (pre.n_neurons, post.n_neurons)
        The weights; gains and encoders of both ensembles are in them already.
    weights : bool
        Has to be True.
    """

    compositional = False


@dataclass(frozen=True)
class ZeroFunction:
    """A function for connections whose decoders are given.

    It tells `nengo.Connection` how many values are decoded, and can be pickled.

    Parameters
    ----------
    size : int
        Length of the vector of zeros that it returns.
    """

    size: int

    def __call__(self, x):
        """Return zeros, whatever ``x`` is."""
        return np.zeros(self.size)


def get_nengo_params(sim, nengo_objs, as_dict=False):
    """Return the arguments that build Nengo objects with the current parameters.

    Parameters
    ----------
    sim : `Simulator`
        Where the parameters are read.
    nengo_objs : Ensemble or Neurons or Connection, or iterable of them
        Neurons stand for their ensemble.
    as_dict : bool
        Whether to return a dict by the objects' labels.

    Returns
    -------
    params : dict or list of dict or dict of dict
        The keyword arguments of one object, or of several in their order, or by label.

    Raises
    ------
    ValueError
        If an object is not part of the simulated network or has no parameters, if two
        have the same label (with `as_dict`), or if the items of a minibatch have
        learned different values.
    NotImplementedError
        If the transform of a connection is of an unknown type.
    """
    objs = list(nengo_objs) if isinstance(nengo_objs, Iterable) else [nengo_objs]
    params = [_params(sim, obj) for obj in objs]
    if not as_dict:
        return params if isinstance(nengo_objs, Iterable) else params[0]
    labels = [
        obj.ensemble.label if isinstance(obj, Neurons) else obj.label for obj in objs
    ]
    for label in labels:
        if labels.count(label) > 1:
            raise ValueError(
                "Simulator.get_nengo_params: expected objects with different labels "
                f"(got {labels.count(label)} with {label!r}). Give them labels, or "
                "leave as_dict out."
            )
    return dict(zip(labels, params, strict=True))


def freeze_params(sim, objs):
    """Write the current parameters into the Nengo objects that are simulated.

    Parameters
    ----------
    sim : `Simulator`
        Where the parameters are read.
    objs : Network or Ensemble or Connection, or iterable of them
        What to change. A network stands for all ensembles and connections in it, and
        for the decoders of its probes.

    Raises
    ------
    TypeError
        If an object is of another type.
    ValueError
        If an object is not part of the simulated network, or if the items of a
        minibatch have learned different values. Nothing has been changed then.
    NotImplementedError
        If the transform of a connection is of an unknown type.
    """
    changes = []
    for obj in objs if isinstance(objs, Iterable) else [objs]:
        changes += _changes(sim, obj)
    for obj, params in changes:
        # in order: the transform is checked against the size of the function
        for name, value in params.items():
            setattr(obj, name, value)


def _changes(sim, obj):
    """List pairs of a Nengo object and the attributes that hold its parameters."""
    where = "Simulator.freeze_params"
    if not isinstance(obj, nengo.Network | nengo.Ensemble | nengo.Connection):
        raise TypeError(
            f"{where}: expected a Network, an Ensemble or a Connection (got {obj!r} of "
            f"type {type(obj).__name__}). Pass the object that owns the parameters."
        )
    if obj not in sim.data:
        raise ValueError(
            f"{where}: expected a part of the simulated network (got {obj!r}). Pass an "
            "object of the network that the Simulator was made with."
        )
    if not isinstance(obj, nengo.Network):
        is_direct = isinstance(obj, nengo.Ensemble) and _is_direct(obj)
        return [] if is_direct else [(obj, _params(sim, obj))]
    changes = []
    for part in (*obj.all_ensembles, *obj.all_connections):
        changes += _changes(sim, part)
    probes = set(obj.all_probes)
    for conn in sim.model.params:
        # what a probe decodes with is the weights of a connection that Nengo adds
        if isinstance(conn, nengo.Connection) and conn.post_obj in probes:
            params = _params(sim, conn)
            if "solver" in params:
                changes.append((conn.post_obj, {"solver": params["solver"]}))
    return changes


def _params(sim, obj):
    if isinstance(obj, Neurons):
        obj = obj.ensemble
    if isinstance(obj, nengo.Ensemble) and not _is_direct(obj):
        return _ensemble_params(sim, obj)
    if isinstance(obj, nengo.Connection):
        return _connection_params(sim, obj)
    raise ValueError(
        "Simulator.get_nengo_params: expected an Ensemble with neurons or a Connection "
        f"(got {obj!r} of type {type(obj).__name__}). Leave out what has no parameters."
    )


def _is_direct(ens):
    return isinstance(ens.neuron_type, Direct)


def _ensemble_params(sim, ens):
    live = sim.data[ens]
    scaled = _shared(live.scaled_encoders, 2, f"the encoders of {ens}")
    gain = sim.model.params[ens].gain
    if np.any(scaled[gain == 0]):
        raise ValueError(
            f"{ens}: expected encoders of zero where the gain is 0 (got others for "
            f"neurons {np.flatnonzero((gain == 0) & scaled.any(axis=1))}). Give these "
            "neurons a gain; Nengo multiplies their encoders with it."
        )
    # more digits than were trained, so that they survive being multiplied out again
    divisor = np.where(gain == 0, 1, gain).astype(np.float64)[:, None]
    return {
        "encoders": scaled.astype(np.float64) * ens.radius / divisor,
        "normalize_encoders": False,
        "gain": np.array(gain),
        "bias": np.array(_shared(live.bias, 1, f"the bias of {ens}")),
        "max_rates": nengo.Ensemble.max_rates.default,
        "intercepts": nengo.Ensemble.intercepts.default,
    }


def _connection_params(sim, conn):
    weights = sim.data[conn].weights
    if weights is None:
        return {"transform": None}
    ndim = sim.model.sig[conn]["weights"].ndim
    weights = _shared(weights, ndim, f"the weights of {conn}")
    pre, post = conn.pre_obj, conn.post_obj
    if not isinstance(pre, nengo.Ensemble) or _is_direct(pre):
        return {"transform": _with_weights(conn.transform, weights)}
    is_full = conn.solver.weights and isinstance(post, nengo.Ensemble)
    solver = FixedWeights if is_full else NoSolver
    return {
        "function": ZeroFunction(conn.size_out),
        "transform": nengo.Connection.transform.default,
        "solver": solver(np.array(weights.T), weights=is_full),
    }


def _shared(value, ndim, what):
    """Return the one value of a parameter, or complain if minibatch items differ."""
    if value.ndim == ndim:
        return value
    if not np.array_equal(
        value, np.broadcast_to(value[0], value.shape), equal_nan=True
    ):
        raise ValueError(
            f"Simulator: expected {what} to be the same for all minibatch items (got "
            f"{len(value)} that have learned different ones). Learn with "
            "minibatch_size=1, or read the values of one item from sim.data."
        )
    return value[0]


@functools.singledispatch
def _with_weights(transform, weights):
    """Return a transform like the given one, with other weights."""
    raise NotImplementedError(
        f"Simulator.get_nengo_params: expected a transform that Nengo has (got "
        f"{transform!r} of type {type(transform).__name__}). Read its weights from "
        "sim.data, and build the object by hand."
    )


@_with_weights.register(Dense)
def _dense_with_weights(transform, weights):
    return np.array(weights)


@_with_weights.register(Convolution)
@_with_weights.register(ConvolutionTranspose)
def _convolution_with_weights(transform, weights):
    arguments = {
        name: getattr(transform, name)
        for name in inspect.signature(type(transform)).parameters
    }
    return type(transform)(**{**arguments, "init": np.array(weights)})


@_with_weights.register(Sparse)
def _sparse_with_weights(transform, weights):
    if isinstance(weights, SparseMatrix):
        return Sparse(transform.shape, indices=weights.indices, init=weights.data)
    return Sparse(transform.shape, init=weights)
