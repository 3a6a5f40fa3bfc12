"""A check that TensorFlow is not used in a fork, where its threads do not exist."""

import os

from nengo.exceptions import SimulationError

_process: int | None = None


def check_process(what: str) -> None:
    """Check that this process is not a fork of one that has used TensorFlow.

    Parameters
    ----------
    what : str
        The action to be done, for messages.

    Raises
    ------
    SimulationError
        If it is a fork, in which TensorFlow would wait for ever.
    """
    global _process
    current = os.getpid()
    if _process is None:
        _process = current
    if current != _process:
        raise SimulationError(
            f"{what}: expected the process that first used TensorFlow, {_process} (got "
            f"a fork of it, {current}, where TensorFlow hangs). Start processes with "
            'multiprocessing.get_context("spawn"), and make the Simulator in there.'
        )
