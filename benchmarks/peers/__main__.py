"""How fast are training and inference, compared with snnTorch and JAX by hand?

Each framework runs in a process of its own, those of the peers with a Python that has
``benchmarks/peers/requirements.txt``. They take turns, so that all see the same load.
"""

import argparse
import subprocess
import sys
from statistics import median

from benchmarks import report
from benchmarks.peers.cases import CASES, USES

QUESTION = __doc__
PEERS = {"snnTorch": "in_snntorch", "JAX": "in_jax"}


class Worker:
    """A process that runs one case in one framework."""

    def __init__(self, python, module, case, use):
        command = [python, "-m", "benchmarks.peers.worker", module, case, use]
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        while (line := self._process.stdout.readline().strip()) != "ready":
            if not line and self._process.poll() is not None:
                raise RuntimeError(f"failed: {' '.join(command)}")

    def round(self):
        """Return the seconds that a minibatch took in one more round."""
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        return float(self._process.stdout.readline())

    def close(self):
        """End the process."""
        self._process.stdin.close()
        self._process.wait()


def measure(case, use, python, n_rounds):
    """Measure one case and one use in all frameworks, in turns.

    Returns
    -------
    row : dict
        Milliseconds of a minibatch, and times of peers over ours: below 1, the peer is
        faster.
    """
    workers = {"nengo_dl": Worker(sys.executable, "in_nengo_dl", case, use)}
    if python:
        for name, module in PEERS.items():
            workers[name] = Worker(python, module, case, use)
    rounds = [
        {name: worker.round() for name, worker in workers.items()}
        for _ in range(n_rounds)
    ]
    for worker in workers.values():
        worker.close()
    row = {"network": case, "use": use}
    for name in workers:
        row[f"{name} ms"] = median(times[name] for times in rounds) * 1e3
    for name in list(workers)[1:]:
        row[f"{name}/ours"] = median(t[name] / t["nengo_dl"] for t in rounds)
    return row


def main():
    """Measure the cases that the command line names; print a table."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.peers", description=QUESTION
    )
    parser.add_argument(
        "cases", nargs="*", default=list(CASES), help=f"of {', '.join(CASES)}"
    )
    parser.add_argument(
        "--python", help="a Python that has the peers; without it, ours alone is run"
    )
    parser.add_argument("--rounds", type=int, default=9, help="%(default)s")
    options = parser.parse_args()
    rows = [
        measure(case, use, options.python, options.rounds)
        for case in options.cases
        for use in USES
    ]
    report.show(QUESTION, rows, report.environment())


if __name__ == "__main__":
    main()
