"""Current parameters as arguments of Nengo objects, and as their attributes."""

import functools
import inspect
import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, TypeAlias

import nengo
import numpy as np
from nengo.builder import Signal
from nengo.ensemble import Neurons
from nengo.neurons import Direct
from nengo.solvers import NoSolver
from nengo.transforms import (
    Convolution,
    ConvolutionTranspose,
    Dense,
    Sparse,
    SparseMatrix,
    Transform,
)

from nengo_dl.names import listing
from nengo_dl.nodes.stencil import Stencil
from nengo_dl.simulator.simulation import Simulation
from nengo_dl.simulator.simulation_data import SimulationData, Weights
from nengo_dl.simulator.stacklevel import user_level


class FixedWeights(NoSolver):
    """Full weights, of shape (pre.n_neurons, post.n_neurons), that are not solved for.

    They contain the gains and encoders of both ensembles already.
    """

    compositional = False


@dataclass(frozen=True)
class ZeroFunction:
    """A function for connections whose decoders are given: it tells their number."""

    size: int

    def __call__(self, x: np.ndarray) -> np.ndarray:
        """Return zeros, whatever `x` is."""
        return np.zeros(self.size)


NengoObject: TypeAlias = nengo.Ensemble | nengo.Connection | Neurons
NengoObjects: TypeAlias = NengoObject | Iterable[NengoObject]
# Arguments, or attributes, by name
Arguments = dict[str, Any]


class NengoParameters:
    """Reads the parameters of a simulation as Nengo objects take them.

    Parameters
    ----------
    simulation : `Simulation`
        Of which the objects have to be.
    data : `SimulationData`
        Has the current values.
    """

    def __init__(self, simulation: Simulation, data: SimulationData):
        self._simulation = simulation
        self._model = simulation.built.model
        self._data = data
        self._placements = {
            p.signal: p.placement
            for p in simulation.built.program.parameters
            if p.placement is not None
        }

    def arguments(
        self, objs: NengoObjects, as_dict: bool
    ) -> Arguments | list[Arguments] | dict[str, Arguments]:
        """See `.Simulator.get_nengo_params`."""
        self._simulation.check_open("get_nengo_params")
        if not isinstance(objs, Iterable):
            arguments = self._arguments(objs)
            return {_label(objs): arguments} if as_dict else arguments
        objs = list(objs)
        found = [self._arguments(obj) for obj in objs]
        if not as_dict:
            return found
        labels = [_label(obj) for obj in objs]
        for label in labels:
            if labels.count(label) > 1:
                raise ValueError(
                    "Simulator.get_nengo_params: expected objects with different "
                    f"labels (got {labels.count(label)} with {label!r}). Give them "
                    "labels, or leave as_dict out."
                )
        return dict(zip(labels, found, strict=True))

    def freeze(
        self, objs: nengo.Network | NengoObjects | Iterable[nengo.Network]
    ) -> None:
        """See `.Simulator.freeze_params`."""
        self._simulation.check_open("freeze_params")
        changes = []
        for obj in objs if isinstance(objs, Iterable) else [objs]:
            changes += self._changes(obj)
        self._warn_of_tiles([obj for obj, _ in changes])
        for obj, attributes in changes:
            # in order: the transform is checked against the size of the function
            for name, value in attributes.items():
                setattr(obj, name, value)

    def _warn_of_tiles(self, objs: list[NengoObject]) -> None:
        """Warn that other simulators do not compute as tiles do."""
        on_tiles = []
        for obj in objs:
            found = self._model.sig.get(obj, {}).values()
            placements = (self._placements.get(s.base) for s in found if s is not None)
            if any(placement and placement.tile for placement in placements):
                on_tiles.append(str(obj))
        if on_tiles:
            warnings.warn(
                "Simulator.freeze_params: weights are frozen, but tiles are not. Other "
                "simulators compute exact products, without converters and noise, for "
                f"{listing(on_tiles)}. To simulate that here, put these on hardware "
                "without a tile.",
                stacklevel=user_level(),
            )

    def _changes(self, obj: Any) -> list[tuple[Any, Arguments]]:
        """List Nengo objects with the attributes that hold their parameters."""
        where = "Simulator.freeze_params"
        if not isinstance(obj, nengo.Network | nengo.Ensemble | nengo.Connection):
            raise TypeError(
                f"{where}: expected a Network, an Ensemble or a Connection (got "
                f"{obj!r} of type {type(obj).__name__}). Pass the object that owns the "
                "parameters."
            )
        if obj not in self._data:
            raise ValueError(
                f"{where}: expected a part of the simulated network (got {obj!r}). "
                "Pass an object of the network that the Simulator was made with."
            )
        if not isinstance(obj, nengo.Network):
            is_direct = isinstance(obj, nengo.Ensemble) and _is_direct(obj)
            return [] if is_direct else [(obj, self._arguments(obj))]
        changes = []
        for part in (*obj.all_ensembles, *obj.all_connections):
            changes += self._changes(part)
        probes = set(obj.all_probes)
        for conn in self._model.params:
            # what a probe decodes with is the weights of a connection that Nengo adds
            if isinstance(conn, nengo.Connection) and conn.post_obj in probes:
                arguments = self._arguments(conn)
                if "solver" in arguments:
                    changes.append((conn.post_obj, {"solver": arguments["solver"]}))
        return changes

    def _arguments(self, obj: NengoObject) -> Arguments:
        if isinstance(obj, Neurons):
            obj = obj.ensemble
        if isinstance(obj, nengo.Ensemble) and not _is_direct(obj):
            return self._of_ensemble(obj)
        if isinstance(obj, nengo.Connection):
            return self._of_connection(obj)
        raise ValueError(
            "Simulator.get_nengo_params: expected an Ensemble with neurons or a "
            f"Connection (got {obj!r} of type {type(obj).__name__}). Leave out what "
            "has no parameters."
        )

    def _of_ensemble(self, ens: nengo.Ensemble) -> Arguments:
        built = self._data[ens]
        scaled = _shared(built.scaled_encoders, 2, f"the encoders of {ens}")
        scaled = self._on_chip(self._model.sig[ens]["encoders"], scaled)
        gain = self._model.params[ens].gain
        if np.any(scaled[gain == 0]):
            raise ValueError(
                f"{ens}: expected encoders of zero where the gain is 0 (got others for "
                f"neurons {np.flatnonzero((gain == 0) & scaled.any(axis=1))}). Give "
                "these neurons a gain; Nengo multiplies their encoders with it."
            )
        # more digits than were trained, so that they survive being multiplied out again
        divisor = np.where(gain == 0, 1, gain).astype(np.float64)[:, None]
        return {
            "encoders": scaled.astype(np.float64) * ens.radius / divisor,
            "normalize_encoders": False,
            "gain": np.array(gain),
            "bias": np.array(_shared(built.bias, 1, f"the bias of {ens}")),
            "max_rates": nengo.Ensemble.max_rates.default,
            "intercepts": nengo.Ensemble.intercepts.default,
        }

    def _of_connection(self, conn: nengo.Connection) -> Arguments:
        weights = self._data[conn].weights
        if weights is None:
            return {"transform": None}
        signal = self._model.sig[conn]["weights"]
        weights = _shared(weights, signal.ndim, f"the weights of {conn}")
        weights = self._on_chip(signal, weights)
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

    def _on_chip(self, signal: Signal, value: Weights) -> Weights:
        """Return a parameter as hardware holds it, if it does."""
        placement = self._placements.get(signal.base)
        if placement is None:
            return value
        if isinstance(value, np.ndarray):
            return placement.on_chip(value)
        if isinstance(value, SparseMatrix):
            return SparseMatrix(
                value.indices, placement.on_chip(value.data), value.shape
            )
        matrix = value.copy()
        matrix.data = placement.on_chip(matrix.data)
        return matrix


def _label(obj: NengoObject) -> str:
    return obj.ensemble.label if isinstance(obj, Neurons) else obj.label


def _is_direct(ens: nengo.Ensemble) -> bool:
    return isinstance(ens.neuron_type, Direct)


def _shared(value: Weights, ndim: int, what: str) -> Weights:
    """Return the one value of a parameter; raise ValueError if items differ."""
    if value.ndim == ndim:
        return value
    # compiled code may round items of a minibatch differently
    largest = np.max(np.abs(value), where=np.isfinite(value), initial=0)
    tolerance = 64 * np.finfo(value.dtype).eps * largest
    if not np.allclose(value, value[:1], rtol=0, atol=tolerance, equal_nan=True):
        raise ValueError(
            f"Simulator: expected {what} to be the same for all minibatch items (got "
            f"{len(value)} that have learned different ones). Learn with "
            "minibatch_size=1, or read the values of one item from sim.data."
        )
    return value[0]


@functools.singledispatch
def _with_weights(transform: Transform, weights: Weights) -> Transform | np.ndarray:
    """Return a transform like the given one, with other weights."""
    raise NotImplementedError(
        f"Simulator.get_nengo_params: expected a transform that Nengo has (got "
        f"{transform!r} of type {type(transform).__name__}). Read its weights from "
        "sim.data, and build the object by hand."
    )


@_with_weights.register(Dense)
def _dense_with_weights(transform: Dense, weights: np.ndarray) -> np.ndarray:
    return np.array(weights)


@_with_weights.register(Convolution)
@_with_weights.register(Stencil)
@_with_weights.register(ConvolutionTranspose)
def _convolution_with_weights(
    transform: Convolution | ConvolutionTranspose | Stencil, weights: np.ndarray
) -> Convolution | ConvolutionTranspose | Stencil:
    arguments = {
        name: getattr(transform, name)
        for name in inspect.signature(type(transform)).parameters
    }
    return type(transform)(**{**arguments, "init": np.array(weights)})


@_with_weights.register(Sparse)
def _sparse_with_weights(transform: Sparse, weights: Weights) -> Sparse:
    if isinstance(weights, SparseMatrix):
        return Sparse(transform.shape, indices=weights.indices, init=weights.data)
    return Sparse(transform.shape, init=weights)
