"""Decoders of several connections from one ensemble, without solving anew for each.

Nengo solves for the decoders of each connection on its own: it computes the activities
of the ensemble, their Gram matrix and its Cholesky factor. These depend on the ensemble
and its evaluation points alone, so connections share them here. The operations are
Nengo's, in Nengo's order, and so are the results, to the last bit.
"""

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import scipy.linalg
from nengo import Connection
from nengo.cache import DecoderCache, Fingerprint, NoDecoderCache
from nengo.solvers import LstsqL2
from nengo.utils.least_squares_solvers import Cholesky, rmses

# Of activities and factors that are kept for further connections from the ensembles
MAX_BYTES = 256 * 2**20


@dataclass(eq=False)
class _Activities:
    """The activities of an ensemble, and factors of their Gram matrix."""

    gain: np.ndarray
    bias: np.ndarray
    x: np.ndarray
    values: np.ndarray
    factors: dict[tuple[float, bool], tuple] = field(default_factory=dict)

    @property
    def nbytes(self) -> int:
        factors = sum(matrix.nbytes for matrix, _ in self.factors.values())
        return self.x.nbytes + self.values.nbytes + factors

    def are_for(self, gain: np.ndarray, bias: np.ndarray, x: np.ndarray) -> bool:
        same = self.gain is gain and self.bias is bias
        return same and np.array_equal(self.x, x)

    def factor(self, reg: float, transpose: bool) -> tuple:
        if (reg, transpose) not in self.factors:
            rows = self.values if transpose else self.values.T
            gram = np.dot(rows, rows.T)
            sigma = reg * self.values.max()
            np.fill_diagonal(gram, gram.diagonal() + len(self.values) * sigma**2)
            factor = scipy.linalg.cho_factor(gram, overwrite_a=True)
            self.factors[reg, transpose] = factor
        return self.factors[reg, transpose]


class SharedDecoders(NoDecoderCache):
    """A decoder cache for `nengo.builder.Model` that solves what is equal only once.

    This concerns Nengo's default solver and its own neuron types, in networks that have
    a seed: only these does Nengo hand to its decoder cache. Other solvers are called as
    Nengo calls them.

    Parameters
    ----------
    cache : DecoderCache or NoDecoderCache
        Is asked first.
    """

    def __init__(self, cache: DecoderCache | NoDecoderCache):
        self._cache = cache
        self._known: OrderedDict[object, _Activities] = OrderedDict()
        self._nbytes = 0

    def __enter__(self):
        self._cache.__enter__()
        return self

    def __exit__(self, *exc_info):
        self._known.clear()
        self._nbytes = 0
        return self._cache.__exit__(*exc_info)

    def get_size_in_bytes(self) -> int:
        """Return the size of the cache below this one."""
        return self._cache.get_size_in_bytes()

    def get_size(self) -> str:
        """Return the size of the cache below this one, with its unit."""
        return self._cache.get_size()

    def shrink(self, limit: int | str | None = None) -> None:
        """Shrink the cache below this one, by default to the size in Nengo's rc."""
        if limit is None:
            self._cache.shrink()
        else:
            self._cache.shrink(limit)

    def invalidate(self) -> None:
        """Remove everything from the cache below this one."""
        self._cache.invalidate()

    def wrap_solver(self, solver_fn: Callable) -> Callable:
        """Return a function like ``solver_fn`` that solves equal problems once.

        Parameters
        ----------
        solver_fn : callable
            `nengo.builder.connection.solve_for_decoders`.
        """

        def solve(conn: Connection, gain, bias, x, targets, rng=np.random):
            if _can_share(conn):
                activities = self._activities(conn, gain, bias, x)
                # Nengo has an error for neurons that are all silent
                if np.any(activities.values):
                    return self._solve(conn.solver, activities, targets)
            return solver_fn(conn, gain, bias, x, targets, rng=rng)

        return self._cache.wrap_solver(solve)

    def _activities(self, conn: Connection, gain, bias, x) -> _Activities:
        """Return the activities of the ensemble, which may be those of before."""
        ensemble = conn.pre_obj
        known = self._known.get(ensemble)
        if known is not None and known.are_for(gain, bias, x):
            self._known.move_to_end(ensemble)
            return known
        if known is not None:
            self._forget(ensemble)
        values = ensemble.neuron_type.rates(x, gain, bias)
        made = self._known[ensemble] = _Activities(gain, bias, x, values)
        self._nbytes += made.nbytes
        return made

    def _solve(self, solver: LstsqL2, activities: _Activities, targets):
        """Do what the solver does, with a factor that may be that of before."""
        start = time.time()
        values, before = activities.values, activities.nbytes
        n_points, n_neurons = values.shape
        transpose = solver.solver.transpose
        if transpose is None:
            transpose = n_points < n_neurons
        factor = activities.factor(solver.reg, transpose)
        self._nbytes += activities.nbytes - before
        right = targets if transpose else np.dot(values.T, targets)
        decoders = scipy.linalg.cho_solve(factor, right)
        if transpose:
            decoders = np.dot(values.T, decoders)
        while self._nbytes > MAX_BYTES and len(self._known) > 1:
            self._forget(next(iter(self._known)))
        info = {"rmses": rmses(values, decoders, targets), "time": time.time() - start}
        return decoders, info

    def _forget(self, ensemble: object) -> None:
        self._nbytes -= self._known.pop(ensemble).nbytes


def _can_share(conn: Connection) -> bool:
    """Tell whether Nengo's own functions alone decide about the decoders."""
    solver = conn.solver
    return (
        type(solver) is LstsqL2
        and type(solver.solver) is Cholesky
        and Fingerprint.supports(conn.pre_obj.neuron_type)
    )
