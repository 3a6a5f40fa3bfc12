"""Connections to a population of Loihi, with weights of 8 bits."""

from dataclasses import dataclass
from typing import Any

import nengo
import numpy as np
import scipy.sparse
from nengo.builder import Model

from nengo_dl.hardware.paths import Path
from nengo_dl.hardware.structured import convolution_on_chip
from nengo_dl.loihi import MAX_BIAS, ONE, LoihiLIF

MAX_DENSE = 2**22  # weights; more are sparse


@dataclass(frozen=True, eq=False)
class LoihiPopulation:
    """An ensemble of Loihi's neurons, and whether something reads its decoded value."""

    ensemble: nengo.Ensemble
    kind: LoihiLIF
    is_decoded: bool


def rewire(
    net: nengo.Network, population: LoihiPopulation, paths: list[Path], model: Model
) -> None:
    """Replace all connections to a population by those that the chip can have.

    Parameters
    ----------
    net : Network
        The network, which is changed. All of its ensembles have Loihi's neurons.
    population : `LoihiPopulation`
        The end of the connections.
    paths : list of `Path`
        All that arrives, as currents in Loihi's integers.
    model : Model
        What Nengo has built of the network.
    """
    ens, kind = population.ensemble, population.kind
    constant = sum(
        path.matrix @ path.constant for path in paths if path.constant is not None
    )
    ens.neuron_type = _with_bias(kind, kind.bias + constant * (ONE / kind.decay_u))
    gain = np.array(ens.gain)
    if not population.is_decoded:
        ens.gain = np.ones(ens.n_neurons)
    kept = set()
    for conn in net.all_connections:
        if conn.post_obj not in (ens, ens.neurons):
            continue
        through = [path for path in paths if path.links[-1].conn is conn]
        weights = model.params[conn].weights
        found = convolution_on_chip(through, weights, gain)
        if found is None or population.is_decoded:
            owner = next(n for n in (net, *net.all_networks) if conn in n.connections)
            owner.connections.remove(conn)
        else:
            kept.add(conn)
            conn.transform, conn.synapse = found, _without_decay(conn.synapse)
    with net:
        for path in paths:
            if path.constant is None and path.links[-1].conn not in kept:
                _connect(path, np.array(ens.gain))


def _connect(path: Path, gain: np.ndarray) -> None:
    """Connect the start of a path to the neurons at its end, which have a gain."""
    weights = path.matrix.copy()
    weights.data = path.rounded(weights.data * path.height) / path.height
    weights = scipy.sparse.diags_array(1 / gain) @ weights
    transform: Any = weights.toarray()
    if transform.size > MAX_DENSE:
        matrix = scipy.sparse.csr_matrix(weights)
        transform = nengo.Sparse(matrix.shape, init=matrix)
    nengo.Connection(
        path.source,
        path.target.neurons,
        transform=transform,
        synapse=_without_decay(path.synapse_object),
        label=path.links[-1].conn.label,
    )


def _without_decay(synapse: Any) -> Any:
    """Return the delay of a synapse, whose decay is that of the neurons' current."""
    return nengo.Lowpass(0) if isinstance(synapse, nengo.Lowpass) else synapse


def _with_bias(kind: LoihiLIF, bias: np.ndarray) -> LoihiLIF:
    return LoihiLIF(
        kind.decay_u,
        kind.decay_v,
        kind.threshold,
        kind.refractory,
        np.clip(np.rint(bias), -MAX_BIAS, MAX_BIAS),
        kind.min_voltage,
        kind.amplitude,
        kind.initial_state,
    )
