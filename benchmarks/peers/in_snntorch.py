"""The cases in snnTorch."""

import snntorch
import torch
from torch import nn
from torch.nn import functional

from benchmarks.peers.cases import FILTER_DECAY, N_CLASSES, VOLTAGE_DECAY


class Network(nn.Module):
    """Layers of LIF neurons, step by step as in snnTorch's tutorials."""

    def __init__(self, case):
        super().__init__()
        self.case = case
        convolutional = [
            nn.Sequential(nn.Unflatten(1, (1, 28, 28)), nn.Conv2d(1, 12, 3)),
            nn.Conv2d(12, 64, 3, stride=2),
        ]
        layers = {
            "convolutional": convolutional,
            "dense": [nn.Linear(784, 256)],
            "recurrent": [nn.Linear(64, 128)],
        }[case.kind]
        self.layers = nn.ModuleList(layers)
        self.neurons = nn.ModuleList(snntorch.Leaky(VOLTAGE_DECAY) for _ in layers)
        n_last = {"convolutional": 64 * 12 * 12, "dense": 256, "recurrent": 128}
        self.output = nn.Linear(n_last[case.kind], N_CLASSES)
        self.recurrent = nn.Linear(128, 128) if case.kind == "recurrent" else None

    def forward(self, x):
        """Return the filtered output of the last step; x is (items, steps, inputs)."""
        voltages = [neurons.init_leaky() for neurons in self.neurons]
        filtered, spikes = 0.0, None
        first = self.layers[0](x[:, 0]) if self.case.is_static else None
        for i in range(self.case.n_steps):
            current = self.layers[0](x[:, i]) if first is None else first
            if self.recurrent is not None and spikes is not None:
                current = current + self.recurrent(spikes)
            spikes, voltages[0] = self.neurons[0](current, voltages[0])
            for j in range(1, len(self.layers)):
                current = self.layers[j](spikes)
                spikes, voltages[j] = self.neurons[j](current, voltages[j])
            output = self.output(spikes.flatten(1))
            filtered = FILTER_DECAY * filtered + (1 - FILTER_DECAY) * output
        return filtered


def make(case, use):
    """Return a function that trains on, or predicts, all minibatches."""
    torch.manual_seed(0)
    network = Network(case)
    x, y = map(torch.from_numpy, case.data())
    batches = list(zip(x.split(case.minibatch), y.split(case.minibatch), strict=True))
    optimizer = torch.optim.SGD(network.parameters(), 1e-3)

    def train():
        for images, labels in batches:
            optimizer.zero_grad()
            functional.cross_entropy(network(images), labels).backward()
            optimizer.step()

    def infer():
        with torch.no_grad():
            return [network(images).numpy() for images, _ in batches]

    return train if use == "train" else infer
