"""The biases of neurons that are no part of their ensemble.

The Converter makes biases weights of connections, so that what is stored does not
depend on firing rates. What users set for neurons or ensembles is meant for these.
"""

import nengo
from nengo.params import Parameter

NAME = "biases"


def set_biases(
    network: nengo.Network,
    ensemble: nengo.Ensemble,
    conns: tuple[nengo.Connection, ...],
) -> None:
    """Say which connections hold the biases of an ensemble's neurons.

    Parameters
    ----------
    network : Network
        In whose config this is noted: one that the ensemble belongs to.
    ensemble : Ensemble
        One that is used as neurons alone: it has no encoders to train.
    conns : tuple of Connection
        Empty if there are no biases.
    """
    params = network.config[nengo.Ensemble]
    if NAME not in params.extra_params:
        params.set_param(NAME, Parameter(NAME, default=None, optional=True))
    network.config[ensemble].biases = conns


def biases(network: nengo.Network) -> dict[nengo.Ensemble, tuple]:
    """Return which connections hold the biases of neurons.

    Parameters
    ----------
    network : Network
        The top-level network.

    Returns
    -------
    conns : dict
        Maps the ensembles that `set_biases` was called for to tuples of Connection.
    """
    found: dict[nengo.Ensemble, tuple[nengo.Connection, ...]] = {}
    for net in (network, *network.all_networks):
        if NAME in net.config[nengo.Ensemble].extra_params:
            own = ((ens, net.config[ens].biases) for ens in net.all_ensembles)
            found.update((ens, conns) for ens, conns in own if conns is not None)
    return found
