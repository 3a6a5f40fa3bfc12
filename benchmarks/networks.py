"""Which networks are measured: plain Nengo functions that any backend can run.

Every function returns a seeded network with probes. `NETWORKS` maps the names that the
command line accepts to functions that need no argument.
"""

from functools import partial

import nengo
import numpy as np
from scipy.linalg import expm


def integrator(n_neurons=100, tau=0.1, seed=0):
    """Integrate a constant in one recurrently connected ensemble."""
    with nengo.Network(label="integrator", seed=seed) as net:
        stimulus = nengo.Node([0.5])
        ensemble = nengo.Ensemble(n_neurons, 1)
        nengo.Connection(stimulus, ensemble, transform=tau, synapse=tau)
        nengo.Connection(ensemble, ensemble, synapse=tau)
        nengo.Probe(ensemble, synapse=0.01)
    return net


def ensemble_array(n_ensembles=32, n_neurons=50, seed=0):
    """Send a vector through two ensemble arrays, the second one gets its squares."""
    with nengo.Network(label="ensemble_array", seed=seed) as net:
        stimulus = nengo.Node(np.linspace(-0.9, 0.9, n_ensembles))
        first = nengo.networks.EnsembleArray(n_neurons, n_ensembles)
        second = nengo.networks.EnsembleArray(n_neurons, n_ensembles)
        squares = first.add_output("squares", np.square)
        nengo.Connection(stimulus, first.input, synapse=None)
        nengo.Connection(squares, second.input)
        nengo.Probe(second.output, synapse=0.01)
    return net


def pes(n_neurons=100, seed=0):
    """Learn a communication channel for a sine wave from its error, with PES."""
    with nengo.Network(label="pes", seed=seed) as net:
        stimulus = nengo.Node(lambda t: np.sin(2 * np.pi * t))
        pre = nengo.Ensemble(n_neurons, 1)
        post = nengo.Ensemble(n_neurons, 1)
        error = nengo.Ensemble(n_neurons, 1)
        nengo.Connection(stimulus, pre)
        learned = nengo.Connection(
            pre, post, function=lambda x: 0.0, learning_rule_type=nengo.PES(1e-4)
        )
        nengo.Connection(post, error)
        nengo.Connection(pre, error, transform=-1)
        nengo.Connection(error, learned.learning_rule)
        nengo.Probe(post, synapse=0.01)
        nengo.Probe(error, synapse=0.03)
    return net


def bcm_voja(n_neurons=100, seed=0):
    """Learn neuron-to-neuron weights with BCM and encoders with Voja."""
    with nengo.Network(label="bcm_voja", seed=seed) as net:
        stimulus = nengo.Node([0.6, -0.3])
        pre = nengo.Ensemble(n_neurons, 2)
        by_bcm = nengo.Ensemble(n_neurons, 2)
        by_voja = nengo.Ensemble(n_neurons, 2)
        nengo.Connection(stimulus, pre)
        nengo.Connection(
            pre,
            by_bcm,
            solver=nengo.solvers.LstsqL2(weights=True),
            learning_rule_type=nengo.BCM(learning_rate=1e-10),
        )
        nengo.Connection(pre, by_voja, learning_rule_type=nengo.Voja())
        nengo.Probe(by_bcm, synapse=0.01)
        nengo.Probe(by_voja, synapse=0.01)
    return net


def basal_ganglia(dimensions=10, seed=0):
    """Select the largest of several utilities: basal ganglia with thalamus."""
    with nengo.Network(label="basal_ganglia", seed=seed) as net:
        stimulus = nengo.Node(np.linspace(0.2, 0.8, dimensions))
        selection = nengo.networks.BasalGanglia(dimensions)
        thalamus = nengo.networks.Thalamus(dimensions)
        nengo.Connection(stimulus, selection.input, synapse=None)
        nengo.Connection(selection.output, thalamus.input)
        nengo.Probe(thalamus.output, synapse=0.01)
    return net


def cconv(dimensions=64, n_neurons=50, seed=0):
    """Bind two vectors with a circular convolution."""
    rng = np.random.RandomState(seed)
    vectors = rng.standard_normal((2, dimensions)) / np.sqrt(dimensions)
    with nengo.Network(label="cconv", seed=seed) as net:
        binding = nengo.networks.CircularConvolution(n_neurons, dimensions)
        for vector, entry in zip(
            vectors, (binding.input_a, binding.input_b), strict=True
        ):
            nengo.Connection(nengo.Node(vector), entry, synapse=None)
        nengo.Probe(binding.output, synapse=0.01)
    return net


def chain(n_ensembles=20_000, n_neurons=50, seed=0):
    """Send a value through one ensemble after the other; the last one is probed."""
    with nengo.Network(label=f"chain{n_ensembles}", seed=seed) as net:
        before = nengo.Node([0.5])
        for _ in range(n_ensembles):
            ensemble = nengo.Ensemble(n_neurons, 1)
            nengo.Connection(before, ensemble)
            before = ensemble
        nengo.Probe(before, synapse=0.01)
    return net


def cognitive(n_subnetworks=2000, seed=0):
    """Connect circular convolutions and associative memories, as Spaun does.

    Their sizes differ, so that little can be merged, and 5 % of all ensembles learn.
    """
    rng = np.random.RandomState(seed)
    with nengo.Network(label=f"cognitive{n_subnetworks}", seed=seed) as net:
        outputs = [nengo.Node(rng.uniform(-1, 1, size=8))]
        error = nengo.Node([0.1])
        for number in range(n_subnetworks):
            size, n_neurons = int(rng.randint(2, 9)), int(rng.randint(15, 40))
            if number % 2:
                vectors = rng.standard_normal((2 * size, size)) / np.sqrt(size)
                memory = nengo.networks.AssociativeMemory(
                    vectors, n_neurons=n_neurons, threshold=0.3
                )
                entries, output = [memory.input], memory.output
            else:
                binding = nengo.networks.CircularConvolution(n_neurons, size)
                entries, output = [binding.input_a, binding.input_b], binding.output
            for entry in entries:
                before = outputs[rng.randint(len(outputs))]
                n = min(entry.size_in, before.size_out)
                nengo.Connection(before[:n], entry[:n], synapse=0.01)
            outputs.append(output)
        _learn(net.all_ensembles, error, rng)
        for output in outputs[1:11]:
            nengo.Probe(output, synapse=0.01)
    return net


def _learn(ensembles, error, rng):
    """Let 5 % of ensembles learn what they send to others."""
    n_learning = max(1, len(ensembles) // 20)
    for i in rng.choice(len(ensembles), n_learning, replace=False):
        post = ensembles[rng.randint(len(ensembles))]
        column = np.ones((post.dimensions, 1))
        conn = nengo.Connection(
            ensembles[i],
            post,
            function=lambda x: 0,
            transform=column,
            learning_rule_type=nengo.PES(1e-6),
        )
        nengo.Connection(error, conn.learning_rule, transform=column, synapse=None)


def ensembles(n_ensembles=64, n_connections=256, n_neurons=50, seed=0):
    """Connect ensembles at random, with loops; ten of them are probed."""
    rng = np.random.RandomState(seed)
    pairs = rng.randint(n_ensembles, size=(n_connections, 2))
    weights = rng.uniform(-0.5, 0.5, size=n_connections)
    values = rng.uniform(-1, 1, size=n_ensembles)
    with nengo.Network(label=f"ensembles{n_ensembles}", seed=seed) as net:
        stimulus = nengo.Node(values)
        population = [nengo.Ensemble(n_neurons, 1) for _ in range(n_ensembles)]
        for i, ensemble in enumerate(population):
            nengo.Connection(stimulus[i], ensemble)
        for (pre, post), weight in zip(pairs, weights, strict=True):
            nengo.Connection(population[pre], population[post], transform=weight)
        for ensemble in population[:10]:
            nengo.Probe(ensemble, synapse=0.01)
    return net


def random_network(n_ensembles=40, n_connections=120, seed=0):
    """Mix neuron types, sizes, dimensions, functions, matrices and synapses."""
    rng = np.random.RandomState(seed)
    neuron_types = (
        nengo.LIF(),
        nengo.LIFRate(),
        nengo.AdaptiveLIF(),
        nengo.SpikingRectifiedLinear(),
        nengo.RectifiedLinear(),
        nengo.Sigmoid(),
        nengo.Tanh(),
    )
    synapses = (None, 0.005, 0.02, nengo.Alpha(0.01))
    with nengo.Network(label="random_network", seed=seed) as net:
        stimulus = nengo.Node([0.4, -0.7, 0.1])
        population = [
            nengo.Ensemble(
                int(rng.randint(20, 120)),
                int(rng.randint(1, 5)),
                neuron_type=neuron_types[rng.randint(len(neuron_types))],
            )
            for _ in range(n_ensembles)
        ]
        for ensemble in population:
            transform = rng.uniform(-1, 1, size=(ensemble.dimensions, 3))
            nengo.Connection(stimulus, ensemble, transform=transform)
        for _ in range(n_connections):
            pre, post = (population[i] for i in rng.randint(n_ensembles, size=2))
            # without a delay, two connections could wait for each other for ever
            is_forward = population.index(pre) < population.index(post)
            nengo.Connection(
                pre,
                post,
                function=np.square if rng.rand() < 0.3 else None,
                transform=rng.uniform(-0.3, 0.3, (post.dimensions, pre.dimensions)),
                synapse=synapses[rng.randint(0 if is_forward else 1, len(synapses))],
            )
        for ensemble in population[:10]:
            nengo.Probe(ensemble, synapse=0.01)
    return net


def closed_loop(n_neurons=100, n_parts=1, python=True, seed=0):
    """Let ensembles act on a world in Python, each on its own, which acts on them."""
    with nengo.Network(label="closed_loop", seed=seed) as net:
        stimulus = nengo.Node(lambda t: np.sin(20 * t))
        for _ in range(n_parts):
            ensemble = nengo.Ensemble(n_neurons, 1)
            nengo.Connection(stimulus, ensemble)
            if python:
                world = nengo.Node(lambda t, x: 0.9 * x, size_in=1)
                nengo.Connection(ensemble, world)
                nengo.Connection(world, ensemble)
            nengo.Probe(ensemble, synapse=0.01)
    return net


def lmu(order=128, n_units=128, theta=784, seed=0):
    """Remember the last `theta` steps of a signal in a Legendre memory unit.

    The memory is linear, its state feeds a layer of tanh units, and both feed back into
    what is written to the memory (Voelker, Kajić & Eliasmith, 2019).
    """
    rng = np.random.RandomState(seed)
    i = np.arange(order)[:, None]
    j = i.T
    a = (2 * i + 1) / theta * np.where(i < j, -1, (-1.0) ** (i - j + 1))
    b = (2 * i + 1) / theta * (-1.0) ** i
    # zero-order hold over one step, both matrices from one exponential
    discrete = expm(np.block([[a, b], [np.zeros((1, order + 1))]]))[:order]
    delay = nengo.Lowpass(0)

    def random_weights(n_out, n_in, scale=1.0):
        return scale * rng.standard_normal((n_out, n_in)) / np.sqrt(n_in)

    with nengo.Network(label="lmu", seed=seed) as net:
        net.config[nengo.Connection].synapse = None
        stimulus = nengo.Node(lambda t: np.sin(20 * t))
        written = nengo.Node(size_in=1)
        memory = nengo.Node(size_in=order)
        units = nengo.Ensemble(
            n_units,
            1,
            neuron_type=nengo.Tanh(tau_ref=1),
            gain=np.ones(n_units),
            bias=np.zeros(n_units),
        ).neurons
        nengo.Connection(stimulus, written)
        for pre, post, transform, synapse in (
            (units, written, random_weights(1, n_units, 0.1), delay),
            (memory, written, random_weights(1, order, 0.1), delay),
            (memory, memory, discrete[:, :order], delay),
            (written, memory, discrete[:, order:], None),
            (stimulus, units, random_weights(n_units, 1), None),
            (units, units, random_weights(n_units, n_units, 0.5), delay),
            (memory, units, random_weights(n_units, order), None),
        ):
            nengo.Connection(pre, post, transform=transform, synapse=synapse)
        nengo.Probe(memory)
        nengo.Probe(units)
    return net


def conv(image_size=28, channels=(16, 32), synapse=0.005, seed=0):
    """Classify images with two spiking convolutional layers and a dense one."""
    rng = np.random.RandomState(seed)
    shape = (image_size, image_size, 1)
    with nengo.Network(label="conv", seed=seed) as net:
        _rectifying_spikes(net)
        source = _images(int(np.prod(shape)), rng)
        source_synapse = None
        for n_filters, stride in zip(channels, (1, 2), strict=True):
            transform = nengo.Convolution(
                n_filters=n_filters,
                input_shape=shape,
                strides=(stride, stride),
                init=nengo.dists.Gaussian(0.05, 0.3),
            )
            layer = nengo.Ensemble(transform.size_out, 1).neurons
            nengo.Connection(source, layer, transform=transform, synapse=source_synapse)
            source, source_synapse = layer, synapse
            shape = transform.output_shape.shape
        _dense_output(source, synapse, rng)
    return net


def dense(widths=(784, 1024, 512), synapse=0.005, seed=0):
    """Classify images with fully connected layers of spiking neurons."""
    rng = np.random.RandomState(seed)
    with nengo.Network(label="dense", seed=seed) as net:
        _rectifying_spikes(net)
        source = _images(widths[0], rng)
        source_synapse = None
        for n_in, n_out in zip(widths[:-1], widths[1:], strict=True):
            layer = nengo.Ensemble(n_out, 1).neurons
            weights = rng.standard_normal((n_out, n_in)) * np.sqrt(2 / n_in)
            nengo.Connection(source, layer, transform=weights, synapse=source_synapse)
            source, source_synapse = layer, synapse
        _dense_output(source, synapse, rng)
    return net


def _rectifying_spikes(net):
    """Let neurons start to fire at zero, with values near one while they do."""
    net.config[nengo.Ensemble].neuron_type = nengo.LIF(amplitude=0.01)
    net.config[nengo.Ensemble].max_rates = nengo.dists.Choice([100])
    net.config[nengo.Ensemble].intercepts = nengo.dists.Choice([0])


def _images(size, rng, n_images=10, presentation_time=0.1):
    """Show random images one after the other."""
    images = rng.uniform(0, 1, size=(n_images, size))
    return nengo.Node(nengo.processes.PresentInput(images, presentation_time))


def _dense_output(source, synapse, rng, n_classes=10):
    """Connect and probe a linear output."""
    output = nengo.Node(size_in=n_classes)
    weights = rng.standard_normal((n_classes, source.size_out))
    weights /= np.sqrt(source.size_out)
    nengo.Connection(source, output, transform=weights, synapse=synapse)
    nengo.Probe(output, synapse=0.01)


NETWORKS = {
    "integrator": integrator,
    "ensemble_array": ensemble_array,
    "pes": pes,
    "bcm_voja": bcm_voja,
    "basal_ganglia": basal_ganglia,
    "cconv": cconv,
    "ensembles64": ensembles,
    "ensembles500": partial(ensembles, 500, 1000),
    "random_network": random_network,
    "lmu": lmu,
    "conv": conv,
    "dense": dense,
}
