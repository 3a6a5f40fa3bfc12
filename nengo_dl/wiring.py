"""Connections without weights of their own.

Converted models have connections that copy, pool or scale values, or bring biases. On
hardware these are no weights to be stored, so they stay digital.
"""

import nengo
from nengo.params import BoolParam

NAME = "wiring"


def set_wiring(network: nengo.Network, conn: nengo.Connection) -> None:
    """Note in a network's config that a connection has no weights of its own."""
    params = network.config[nengo.Connection]
    if NAME not in params.extra_params:
        params.set_param(NAME, BoolParam(NAME, default=False))
    network.config[conn].wiring = True


def wiring(network: nengo.Network) -> set[nengo.Connection]:
    """Collect all connections that `set_wiring` was called for."""
    found: set[nengo.Connection] = set()
    for net in (network, *network.all_networks):
        if NAME in net.config[nengo.Connection].extra_params:
            found.update(c for c in net.all_connections if net.config[c].wiring)
    return found
