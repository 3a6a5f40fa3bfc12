"""``sim.data``: probe data and the live parameters of every object of a network."""

import warnings
from collections.abc import Hashable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import scipy.sparse
from nengo import Connection, Ensemble, Probe
from nengo.builder import Signal
from nengo.builder.connection import BuiltConnection
from nengo.builder.ensemble import BuiltEnsemble
from nengo.ensemble import Neurons
from nengo.exceptions import ValidationError
from nengo.neurons import Direct, NeuronType
from nengo.transforms import SparseMatrix

from nengo_dl.names import listing
from nengo_dl.simulator.stacklevel import user_level

if TYPE_CHECKING:
    from nengo_dl.simulator.simulator import Simulator

# Sparse weights are those of connections with a sparse transform
Weights: TypeAlias = np.ndarray | SparseMatrix | scipy.sparse.spmatrix
# Parameters of `SimulationData.get_params`
_PARAMS: dict[type, tuple[str, ...]] = {
    Ensemble: ("encoders", "scaled_encoders", "bias"),
    Connection: ("weights",),
}


class SimulationData(Mapping):
    """Data of a simulation, by Nengo object.

    ========== ==================================================================
    Key        Value
    ========== ==================================================================
    Probe      ndarray of shape (n_steps, size) or, if a ``minibatch_size`` was
               given, (minibatch_size, n_steps, size); read-only. An empty list
               before anything has been run.
    Ensemble   `~nengo.builder.ensemble.BuiltEnsemble` with the current values
    Connection `~nengo.builder.connection.BuiltConnection` with the current
               weights (None if the connection has none; a sparse matrix if its
               transform is sparse)
    other      what Nengo's builder stored, mostly None
    ========== ==================================================================

    Parameters
    ----------
    sim : `Simulator`
        Where the data comes from.

    Notes
    -----
    Weights that an online learning rule changes differ between the items of a
    minibatch, and so have a leading axis of that size (if a size was given). The
    encoders and the bias of an ensemble with learned encoders likewise.

    Examples
    --------
    .. testcode::

       with nengo.Network(seed=0) as net:
           ens = nengo.Ensemble(10, 1)
           probe = nengo.Probe(ens)

       with nengo_dl.Simulator(net, progress_bar=False) as sim:
           sim.run_steps(5)

       print(sim.data[probe].shape, sim.data[ens].encoders.shape)

    .. testoutput::

       (5, 1) (10, 1)
    """

    def __init__(self, sim: "Simulator"):
        self._sim = sim
        self._cache: dict[Probe, tuple[np.ndarray, np.ndarray]] = {}

    def __getitem__(self, obj: Any) -> Any:
        params = self._sim.model.params
        if obj not in self:
            raise ValidationError(
                f"Object {obj} is not part of the simulated network (got "
                f"{type(obj).__name__}). Pass an object of the network that the "
                "Simulator was made with.",
                attr="data",
                obj=self._sim,
            )
        if isinstance(obj, Probe):
            return self._probe(obj)
        if isinstance(obj, Ensemble):
            return self._ensemble(obj)
        if isinstance(obj, Neurons):
            return self._ensemble(obj.ensemble)
        if isinstance(obj, Connection):
            return self._connection(obj)
        return params[obj]

    def __contains__(self, obj: object) -> bool:
        key = obj.ensemble if isinstance(obj, Neurons) else obj
        return isinstance(key, Hashable) and key in self._sim.model.params

    def __iter__(self) -> Iterator[Any]:
        return iter(self._sim.model.params)

    def __len__(self) -> int:
        return len(self._sim.model.params)

    def __repr__(self) -> str:
        return f"<SimulationData of {len(self)} objects>"

    def get_params(self, *obj_attrs: tuple[Any, str]) -> list:
        """Return the current values of several parameters.

        Parameters
        ----------
        \\*obj_attrs : (object, str)
            An Ensemble with "encoders", "scaled_encoders" or "bias", or a Connection
            with "weights".

        Returns
        -------
        values : list of ndarray or None
            Of the shapes that they have in ``sim.data``.

        Raises
        ------
        ValidationError
            If an object has no such parameter.
        """
        values = []
        for obj, attr in obj_attrs:
            attrs = next((a for cls, a in _PARAMS.items() if isinstance(obj, cls)), ())
            if attr not in attrs:
                raise ValidationError(
                    f"expected an Ensemble with one of {listing(_PARAMS[Ensemble])} or "
                    f"a Connection with 'weights' (got {obj} with {attr!r}). Use "
                    "sim.data[obj] for what else there is.",
                    attr="get_params",
                    obj=self,
                )
            values.append(getattr(self[obj], attr))
        return values

    def _probe(self, probe: Probe) -> np.ndarray | list:
        outputs = self._sim.recording.outputs(probe)
        if outputs is None:
            return []
        cached = self._cache.get(probe)
        if cached is None or cached[0] is not outputs:
            drops = self._sim.drops_batch
            data = (outputs[:, 0] if drops else np.moveaxis(outputs, 1, 0)).view()
            data.setflags(write=False)
            self._cache[probe] = cached = (outputs, data)
        return cached[1]

    def _ensemble(self, ens: Ensemble) -> BuiltEnsemble:
        built = self._sim.model.params[ens]
        if isinstance(ens.neuron_type, Direct) or self._is_closed():
            return built
        sig = self._sim.model.sig
        scaled = self._live(sig[ens]["encoders"], built.scaled_encoders)
        bias = self._live(sig[ens.neurons]["bias"], built.bias)
        if np.array_equal(scaled, built.scaled_encoders) and np.array_equal(
            bias, built.bias
        ):
            return built
        length = np.linalg.norm(scaled, axis=-1)
        before = np.linalg.norm(built.encoders, axis=-1)
        with np.errstate(divide="ignore", invalid="ignore"):
            gain = ens.radius * length / before
            # encoders of length zero stay zero whatever their gain
            gain = np.where((length > 0) & (before > 0), gain, built.gain)
            encoders = ens.radius * scaled / gain[..., None]
        encoders = np.where(length[..., None] > 0, encoders, 0)
        max_rates, intercepts = _tuning(ens.neuron_type, gain, bias)
        return BuiltEnsemble(
            eval_points=built.eval_points,
            encoders=encoders,
            intercepts=intercepts,
            max_rates=max_rates,
            scaled_encoders=scaled,
            gain=gain,
            bias=bias,
        )

    def _connection(self, conn: Connection) -> BuiltConnection:
        built = self._sim.model.params[conn]
        signal = self._sim.model.sig[conn].get("weights")
        weights = None
        if signal is not None:
            is_closed = self._is_closed()
            weights = built.weights if is_closed else self._live(signal, built.weights)
        return BuiltConnection(
            eval_points=built.eval_points,
            solver_info=built.solver_info,
            weights=weights,
            transform=None,
        )

    def _live(self, signal: Signal, initial: Weights) -> Weights:
        """Return a signal's current value, or the initial one if it is constant."""
        value = self._sim.parameter(signal)
        if value is None:
            return initial
        return _sparse(initial, value) if signal.sparse else value

    def _is_closed(self) -> bool:
        if self._sim.closed:
            warnings.warn(
                "The Simulator is closed: parameters have the values with which the "
                "network was built. Read them before closing to get the current ones.",
                stacklevel=user_level(),
            )
        return self._sim.closed


def _sparse(
    initial: SparseMatrix | scipy.sparse.spmatrix, values: np.ndarray
) -> SparseMatrix | scipy.sparse.spmatrix:
    """Return a sparse matrix with other values at the same places."""
    if isinstance(initial, SparseMatrix):
        return SparseMatrix(initial.indices, values, initial.shape)
    matrix = initial.tocoo(copy=True)
    matrix.data = values
    return matrix.asformat(initial.format)


def _tuning(
    neuron_type: NeuronType, gain: np.ndarray, bias: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return maximum rates and intercepts, item by item if the items differ."""
    if gain.ndim == bias.ndim == 1:
        return neuron_type.max_rates_intercepts(gain, bias)
    items = zip(*np.broadcast_arrays(gain, bias), strict=True)
    tuning = [neuron_type.max_rates_intercepts(*item) for item in items]
    max_rates, intercepts = zip(*tuning, strict=True)
    return np.stack(max_rates), np.stack(intercepts)
