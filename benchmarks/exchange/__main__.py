"""How fast are networks from NIR graphs, compared with sinabs and snnTorch?

Each framework runs in a process of its own, those of the peers with the Python of
``make test-exchange``. They read the same graphs with their own readers, take turns,
and say how many spikes come out.
"""

import argparse
import subprocess
import sys
from statistics import median

from benchmarks import report
from benchmarks.exchange.graphs import GRAPHS

QUESTION = __doc__.splitlines()[0]
PEERS = {name: peer for name, (_, peer, _, _) in GRAPHS.items()}


class Worker:
    """A process that runs one graph in one framework."""

    def __init__(self, python, framework, graph):
        command = [python, "-m", "benchmarks.exchange.worker", framework, graph]
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        while not (line := self._process.stdout.readline()).startswith("ready"):
            if not line and self._process.poll() is not None:
                raise RuntimeError(f"failed: {' '.join(command)}")
        self.n_spikes = int(line.split()[1])

    def round(self):
        """Return the seconds of one more round, and those of the processor."""
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        return tuple(map(float, self._process.stdout.readline().split()))

    def close(self):
        """End the process."""
        self._process.stdin.close()
        self._process.wait()


def measure(graph, python, n_rounds):
    """Measure a graph in its framework and here, in turns.

    Returns
    -------
    row : dict
        Milliseconds of a minibatch, and times of the peer over ours.
    """
    workers = {"ours": Worker(sys.executable, "nengo_dl", graph)}
    if python:
        workers["peer"] = Worker(python, PEERS[graph], graph)
    rounds = [{n: w.round() for n, w in workers.items()} for _ in range(n_rounds)]
    for worker in workers.values():
        worker.close()
    row = {"graph": graph, "peer": PEERS[graph]}
    for name, worker in workers.items():
        row[f"{name} ms"] = median(times[name][0] for times in rounds) * 1e3
        row[f"{name} spikes"] = worker.n_spikes
    if python:
        for i, what in enumerate(("time", "processor time")):
            row[f"ratio of {what}"] = median(
                t["peer"][i] / t["ours"][i] for t in rounds
            )
    return row


def main():
    """Measure the graphs that the command line names; print a table."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.exchange", description=__doc__
    )
    parser.add_argument("graphs", nargs="*", default=list(PEERS))
    parser.add_argument(
        "--python", help="a Python that has the peers; without it, ours alone is run"
    )
    parser.add_argument("--rounds", type=int, default=9, help="%(default)s")
    options = parser.parse_args()
    rows = [measure(g, options.python, options.rounds) for g in options.graphs]
    report.show(QUESTION, rows, report.environment())


if __name__ == "__main__":
    main()
