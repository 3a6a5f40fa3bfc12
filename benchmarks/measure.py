"""How long, and in how much memory, does one network build and run?

Times of several backends are taken in turns in one process, so that whatever else the
machine does in the meantime slows all of them alike. Each network has a process of its
own, and each peak of memory too: nothing is warm from an earlier network.
"""

import importlib
import os
import resource
import sys
import time
import warnings
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from statistics import median

import nengo

MIB = 2**20


@dataclass(frozen=True)
class Task:
    """What to measure.

    Parameters
    ----------
    network : str or (str, tuple)
        Name in `benchmarks.networks.NETWORKS`; or name of a function in that module,
        with its arguments.
    backends : tuple of str
        Names in `BACKENDS`.
    steps : int
        Time steps of one run, also of the first one.
    rounds : int
        In each round every backend runs once.
    minibatch : int or None
        Size of the minibatch, for backends that have one.
    """

    network: str | tuple
    backends: tuple = ("nengo", "nengo_dl")
    steps: int = 1000
    rounds: int = 7
    minibatch: int | None = None

    @property
    def label(self):
        """(str) The network's name on the command line."""
        if isinstance(self.network, str):
            return self.network
        name, arguments = self.network
        return ":".join(map(str, (name, *arguments)))


@dataclass(frozen=True)
class Times:
    """Seconds that one backend took for one network.

    Parameters
    ----------
    build : float
        Construction of the simulator.
    first_run : float
        The first run, with all that happens only once.
    rounds : tuple of float
        Every later run of the same number of steps.
    steps : int
        Number of steps of each run.
    """

    build: float
    first_run: float
    rounds: tuple
    steps: int

    @property
    def step(self):
        """(float) Median time of a step in the later runs."""
        return median(self.rounds) / self.steps


def _nengo_simulator(net, minibatch):
    """Build for Nengo, which has no minibatches: it runs one item."""
    del minibatch
    return nengo.Simulator(net, progress_bar=False)


def _nengo_dl_simulator(net, minibatch):
    import nengo_dl

    return nengo_dl.Simulator(net, minibatch_size=minibatch, progress_bar=False)


BACKENDS = {"nengo": _nengo_simulator, "nengo_dl": _nengo_dl_simulator}


def make_network(network):
    """Make the network that a `Task` names."""
    from benchmarks import networks

    if isinstance(network, str):
        return networks.NETWORKS[network]()
    name, arguments = network
    return getattr(networks, name)(*arguments)


def in_new_process(function, *arguments):
    """Return what a function returns in a new Python process."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(function, *arguments).result()


def measure_times(task):
    """Build and run a network on several backends.

    Returns
    -------
    times : dict
        A `Times` for each backend's name.
    """
    prepare(task.backends)
    with ExitStack() as stack:
        sims, once = {}, {}
        for backend in task.backends:
            net = make_network(task.network)
            start = time.perf_counter()
            sim = stack.enter_context(BACKENDS[backend](net, task.minibatch))
            build = time.perf_counter() - start
            once[backend] = (build, run_time(sim, task.steps))
            sims[backend] = sim
        rounds = interleaved(sims, task.steps, task.rounds)
    return {
        name: Times(*once[name], rounds=rounds[name], steps=task.steps) for name in sims
    }


def interleaved(sims, steps, n_rounds):
    """Run simulators in turns.

    Returns
    -------
    times : dict
        For each key of `sims` a tuple with one time for each round.
    """
    times = {name: [] for name in sims}
    for _ in range(n_rounds):
        for name, sim in sims.items():
            times[name].append(run_time(sim, steps))
    return {name: tuple(values) for name, values in times.items()}


def in_turns(functions, n_rounds):
    """Call functions without arguments in turns.

    Returns
    -------
    wall, cpu : dict
        For each key of `functions` a tuple with one time for each round: how long the
        call took, and how long processors worked on it.
    """
    wall = {name: [] for name in functions}
    cpu = {name: [] for name in functions}
    for _ in range(n_rounds):
        for name, function in functions.items():
            start, start_cpu = time.perf_counter(), time.process_time()
            function()
            wall[name].append(time.perf_counter() - start)
            cpu[name].append(time.process_time() - start_cpu)
    return wall, cpu


def ratio(numerator, denominator):
    """Return the median ratio of two backends' times, round by round."""
    return median(a / b for a, b in zip(numerator, denominator, strict=True))


def measure_memory(task, backend):
    """Return the peak of memory of building a network and running it twice.

    Returns
    -------
    peak : float
        MiB, of this whole process with its libraries.
    libraries : float
        MiB that the process had taken before.
    """
    prepare([backend])
    net = make_network(task.network)
    libraries = peak_memory()
    with BACKENDS[backend](net, task.minibatch) as sim:
        for _ in range(2):
            sim.run_steps(task.steps)
    return peak_memory(), libraries


def prepare(backends):
    """Import what is needed, and make every build do its own work."""
    # neither TensorFlow's notes on the CPU nor a missing GPU are news here
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    warnings.filterwarnings("ignore", message="TensorFlow cannot use the GPU")
    # a decoder that Nengo has on disk from another build would cost nothing
    nengo.rc["decoder_cache"]["enabled"] = "False"
    for backend in backends:
        importlib.import_module(backend)


def run_time(sim, steps):
    """Return the seconds that a run of a simulator takes."""
    start = time.perf_counter()
    sim.run_steps(steps, progress_bar=False)
    return time.perf_counter() - start


def memory():
    """Return the MiB that this process has in memory now."""
    return _status("VmRSS") or peak_memory()


def peak_memory():
    """Return the most MiB that this process has had in memory."""
    # getrusage counts the parent process too, from which this one was forked
    peak = _status("VmHWM")
    if peak is None:
        unit = 1 if sys.platform == "darwin" else 1024
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / MIB
    return peak


def _status(field):
    """Return a field of Linux's account of this process in MiB, None elsewhere."""
    path = Path(f"/proc/{os.getpid()}/status")
    if not path.exists():
        return None
    for line in path.read_text().splitlines():
        if line.startswith(field + ":"):
            return int(line.split()[1]) / 1024
    return None
