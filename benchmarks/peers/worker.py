"""Times one case in one framework, a round for each line that it reads.

Run as ``python -m benchmarks.peers.worker MODULE CASE USE`` in the framework's own
environment. Each round prints the seconds that a minibatch has taken.
"""

import importlib
import sys
import time

from benchmarks.peers.cases import CASES, N_MINIBATCHES


def main():
    """Prepare the case, say "ready", and answer lines until they end."""
    module, name, use = sys.argv[1:]
    peer = importlib.import_module(f"benchmarks.peers.{module}")
    run = peer.make(*CASES[name], use)
    run()
    print("ready", flush=True)
    for _ in sys.stdin:
        began = time.perf_counter()
        run()
        print((time.perf_counter() - began) / N_MINIBATCHES, flush=True)


if __name__ == "__main__":
    main()
