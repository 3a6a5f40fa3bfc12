"""Running a converted network and its Keras model on data, and comparing them."""

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from nengo_dl.converter.report.arguments import Data, positive
from nengo_dl.converter.report.events import Spikes
from nengo_dl.converter.report.parts import Part, parts
from nengo_dl.converter.report.reference import activations
from nengo_dl.converter.report.report import Report
from nengo_dl.converter.report.run import Network, probed
from nengo_dl.converter.report.signals import (
    amplitudes,
    incoming,
    is_spiking,
    is_wiring,
    source,
)
from nengo_dl.converter.report.summary import Measured, summarise
from nengo_dl.converter.report.tallies import (
    Activity,
    Course,
    Deviation,
    Firing,
    Rates,
    Tallies,
)
from nengo_dl.simulator import Simulator

N_IN_RASTER = 20


def measure(converter, data: Data, dt, minibatch_size, devices) -> Report:
    """Measure a converted network, see `Converter.report`."""
    minibatch_size = positive("minibatch_size", minibatch_size)
    conns = incoming(converter.net)
    layers = parts(converter, conns)
    tallies = _tallies(converter, layers, data, dt)
    objs = [*tallies.activity, *_outputs(converter, layers)]
    objs += converter.outputs.values()
    with probed(converter.net, dict.fromkeys(objs)) as probes:
        with Simulator(
            converter.net,
            dt=dt,
            minibatch_size=min(minibatch_size, data.n_items),
            progress_bar=False,
            device=None if tf.config.list_physical_devices("GPU") else "/cpu:0",
        ) as sim:
            network = Network(sim, probes, list(converter.inputs.values()))
            _run(converter, network, data, sim.minibatch_size, tallies)
            model = sim.model
    counted = {
        obj: tallies.activity[obj].n_spikes for obj in filter(is_spiking, tallies.rates)
    }
    spikes = Spikes(counted, conns, model)
    found = Measured(converter, data, dt, layers, spikes, tallies, model)
    return summarise(found, devices)


def _outputs(converter, layers: Sequence[Part]) -> list:
    steps = (step for part in layers for step in part.steps)
    return [obj for step in steps for obj in converter.converted[step]]


def _tallies(converter, layers, data: Data, dt) -> Tallies:
    conns = (conn for part in layers for conn in part.connections)
    weighted = [source(conn.pre_obj) for conn in conns if not is_wiring(conn)]
    neurons = [population for part in layers for population in part.populations]
    objs = dict.fromkeys([*weighted, *neurons])
    rng = np.random.RandomState(0)
    return Tallies(
        activity={
            obj: Activity(obj, amplitudes(obj) if is_spiking(obj) else None, dt)
            for obj in objs
        },
        rates={obj: Rates(obj, amplitudes(obj)) for obj in neurons},
        deviations={part: _deviations(part, converter) for part in layers},
        courses=_courses(converter, data),
        firing=[
            (part, Firing(obj, _some(obj.size_out, rng), amplitudes(obj), dt))
            for part in layers
            for obj in part.populations
            if is_spiking(obj)
        ],
    )


def _deviations(part: Part, converter) -> list[Deviation]:
    return [
        Deviation(obj, (step, i))
        for step in part.steps
        for i, obj in enumerate(converter.converted[step])
    ]


def _courses(converter, data: Data) -> list[tuple[str, Course]]:
    model, outer = converter.model, 2 if converter.temporal_model else 1
    outputs = zip(model.output_names, model.outputs, data.labels, strict=True)
    return [
        (
            name,
            Course(
                converter.outputs[tensor], tensor.shape[outer:], labels, data.n_steps
            ),
        )
        for name, tensor, labels in outputs
    ]


def _some(n: int, rng) -> np.ndarray:
    return np.sort(rng.permutation(n)[:N_IN_RASTER])


def _run(converter, network: Network, data: Data, size: int, tallies: Tallies):
    """Show all minibatches to all tallies."""
    n_times = data.n_steps if converter.temporal_model else 1
    probes = [converter.outputs[tensor] for tensor in converter.model.outputs]
    for start in range(0, data.n_items, size):
        inputs = [x[start : start + size] for x in data.inputs]
        by_step, outputs = activations(converter, inputs)
        expected = dict(zip(probes, outputs, strict=True))
        expected |= {
            (step, i): values
            for step, found in by_step.items()
            for i, values in enumerate(found)
        }
        for tally in tallies:
            tally.begin(expected)
        flat = [x.reshape(len(x), n_times, -1) for x in inputs]
        for chunk in network.run(flat, data.n_steps):
            for tally in tallies:
                tally.add(chunk)
        for tally in tallies:
            tally.end()
