"""What does training a network as a module of torch cost, next to Keras and snnTorch?

The loop of torch's tutorials trains LIF networks through their spikes. Keras' ``fit``
trains the same networks, and snnTorch those of the same size. With ``--peers``,
snnTorch is looked for in a folder, beside the torch of this environment.
"""

import argparse
import sys
from statistics import median

import numpy as np

from benchmarks import report
from benchmarks.measure import in_new_process, in_turns, prepare, ratio

QUESTION = __doc__.splitlines()[0]
N_STEPS, MINIBATCH_SIZE, N_CLASSES = 25, 32, 10
SIZES = ((16, 20), (64, 128, 128), (64, 256, 256))


def network(sizes):
    """Return LIF neurons in layers, with trained connections."""
    import nengo

    import nengo_dl

    rng = np.random.RandomState(0)
    with nengo.Network(seed=0) as net:
        nengo_dl.configure_settings(training_mode="spiking", trainable=None)
        net.config[nengo.Connection].synapse = None
        source = nengo.Node(np.zeros(sizes[0]))
        for n in (*sizes[1:], N_CLASSES):
            is_last = n == N_CLASSES
            target = nengo.Node(size_in=n)
            if not is_last:
                ensemble = nengo.Ensemble(
                    n, 1, gain=np.ones(n), bias=np.ones(n), neuron_type=nengo.LIF()
                )
                net.config[ensemble].trainable = False
                target = ensemble.neurons
            weights = rng.normal(size=(n, source.size_out)) / source.size_out
            nengo.Connection(source, target, transform=weights)
            source = target
        nengo.Probe(source, synapse=0.01)
    return net


def snntorch_module(sizes):
    """Return layers of snnTorch's leaky neurons of the same size."""
    import snntorch
    import torch

    class Layers(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.linears = torch.nn.ModuleList(
                torch.nn.Linear(*pair)
                for pair in zip(sizes, (*sizes[1:], N_CLASSES), strict=True)
            )
            self.neurons = [snntorch.Leaky(0.95) for _ in sizes[1:]]

        def forward(self, x):
            voltages = [neurons.init_leaky() for neurons in self.neurons]
            filtered = 0.0
            for i in range(x.shape[1]):
                y = x[:, i]
                for k, neurons in enumerate(self.neurons):
                    y, voltages[k] = neurons(self.linears[k](y), voltages[k])
                filtered = 0.9 * filtered + 0.1 * self.linears[-1](y)
            return filtered[:, None]

    return Layers()


def torch_loop(module, batches):
    """Return the loop of torch's tutorials."""
    import torch

    optimizer = torch.optim.SGD(module.parameters(), lr=1e-3, momentum=0.9)

    def train():
        for x, y in batches:
            optimizer.zero_grad()
            loss = torch.nn.functional.cross_entropy(module(x)[:, -1], y)
            loss.backward()
            optimizer.step()

    return train


def keras_fit(net, x, y):
    """Return Keras' training of a network."""
    import keras

    import nengo_dl

    inputs = keras.Input(x.shape[1:])
    model = keras.Model(inputs, nengo_dl.NengoLayer(net)(inputs)[:, -1])
    model.compile(
        keras.optimizers.SGD(1e-3, momentum=0.9),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        jit_compile=True,
    )
    return lambda: model.fit(x, y, batch_size=MINIBATCH_SIZE, shuffle=False, verbose=0)


def measure(sizes, n_batches, n_rounds, peers, n_threads):
    """Compare the three on layers of some sizes.

    Returns
    -------
    row : dict
        Times, and ratios of times.
    """
    prepare(["nengo_dl"])
    import torch

    import nengo_dl

    if n_threads:
        torch.set_num_threads(n_threads)
    n_items = n_batches * MINIBATCH_SIZE
    rng = np.random.default_rng(0)
    x = rng.random((n_items, N_STEPS, sizes[0]), np.float32)
    y = rng.integers(N_CLASSES, size=n_items)
    batches = list(
        torch.utils.data.DataLoader(
            torch.utils.data.TensorDataset(torch.tensor(x), torch.tensor(y)),
            MINIBATCH_SIZE,
        )
    )
    net = network(sizes)
    functions = {
        "torch": torch_loop(nengo_dl.torch.Network(net), batches),
        "fit": keras_fit(net, x, y),
    }
    if peers is not None:
        sys.path.append(peers)
        functions["snnTorch"] = torch_loop(snntorch_module(sizes), batches)
    for function in functions.values():
        function()
    wall, cpu = in_turns(functions, n_rounds)
    row = {"25 steps, batch 32": "-".join(map(str, (*sizes, N_CLASSES)))}
    row |= {
        f"{name} ms/batch": median(times) / n_batches * 1e3
        for name, times in wall.items()
    }
    for name in list(functions)[1:]:
        row[f"ratio to {name}"] = ratio(wall["torch"], wall[name])
        row[f"CPU ratio to {name}"] = ratio(cpu["torch"], cpu[name])
    return row


def main():
    """Print the table."""
    parser = argparse.ArgumentParser(description=QUESTION)
    parser.add_argument("--batches", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--peers", help="folder with the package snntorch")
    parser.add_argument("--threads", type=int, default=0, help="of torch, 0 for all")
    arguments = parser.parse_args()
    others = (arguments.batches, arguments.rounds, arguments.peers, arguments.threads)
    rows = [in_new_process(measure, sizes, *others) for sizes in SIZES]
    report.show(QUESTION, rows)
    report.save("torch_network", rows)


if __name__ == "__main__":
    main()
