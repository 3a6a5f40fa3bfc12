"""The cases in snnTorch."""

import snntorch
import torch
from torch import nn
from torch.nn import functional

from benchmarks.peers.cases import FILTER_DECAY, N_CLASSES, VOLTAGE_DECAY, data


class Network(nn.Module):
    """Layers of LIF neurons, step by step as in snnTorch's tutorials."""

    def __init__(self, case, is_held):
        super().__init__()
        self.case, self.is_held = case, is_held
        first, n_last = case.sizes
        layers = [nn.Linear(first, n_last)]
        if case.kind == "conv":
            layers = [
                nn.Sequential(nn.Unflatten(1, (1, 28, 28)), nn.Conv2d(1, first, 5, 2)),
                nn.Conv2d(first, n_last, 5, 2),
            ]
            n_last *= 16
        self.layers = nn.ModuleList(layers)
        self.neurons = nn.ModuleList(snntorch.Leaky(VOLTAGE_DECAY) for _ in layers)
        self.output = nn.Linear(n_last, N_CLASSES)
        is_recurrent = case.kind == "recurrent"
        self.recurrent = nn.Linear(n_last, n_last) if is_recurrent else None

    def forward(self, x):
        """Return the filtered output of the last step; x is (items, steps, inputs)."""
        voltages = [neurons.init_leaky() for neurons in self.neurons]
        filtered, spikes = 0.0, None
        first = self.layers[0](x[:, 0]) if self.is_held else None
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


def make(case, is_held, use):
    """Return a function that trains on, or predicts, all minibatches."""
    torch.manual_seed(0)
    network = Network(case, is_held)
    batches = [
        (torch.from_numpy(x), torch.from_numpy(y)) for x, y in data(case, is_held)
    ]
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
