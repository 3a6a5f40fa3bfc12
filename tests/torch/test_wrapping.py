"""Modules of torch that run the networks that they become."""

import copy

import nengo
import numpy as np
import pytest
from nengo.exceptions import ValidationError

import nengo_dl

torch = pytest.importorskip("torch")
nn = torch.nn


def convnet():
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(1, 4, 3), nn.ReLU(), nn.AvgPool2d(2), nn.Flatten(), nn.Linear(36, 10)
    )


def digits():
    datasets = pytest.importorskip("sklearn.datasets")
    images, labels = datasets.load_digits(return_X_y=True)
    images = torch.tensor(images / 16, dtype=torch.float32).reshape(-1, 1, 8, 8)
    return images, torch.tensor(labels)


def train(module, images, labels, n_batches, lr=0.1):
    """Run the loop of torch's tutorials; return the losses."""
    optimizer = torch.optim.SGD(module.parameters(), lr=lr, momentum=0.9)
    losses = []
    for i in range(n_batches):
        chosen = torch.arange(32 * i, 32 * i + 32) % len(images)
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(module(images[chosen]), labels[chosen])
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


def accuracy(module, images, labels):
    with torch.no_grad():
        return (module(images).argmax(-1) == labels).float().mean().item()


def test_training_and_unwrapping_are_those_of_torch():
    module = convnet()
    plain = copy.deepcopy(module)
    images = torch.rand(64, 1, 8, 8)
    labels = torch.arange(64) % 10
    wrapped = nengo_dl.torch.wrap(module, images[:2])
    assert wrapped.converter.net is wrapped.network.network
    shapes = sum(p.numel() for p in wrapped.parameters() if p.requires_grad)
    assert shapes == sum(p.numel() for p in plain.parameters())
    torch.testing.assert_close(wrapped(images), plain(images))
    found = train(wrapped, images, labels, 30)
    np.testing.assert_allclose(found, train(plain, images, labels, 30), atol=1e-5)
    assert wrapped.unwrap() is module
    torch.testing.assert_close(module(images), plain(images), atol=1e-5, rtol=1e-5)
    copied = copy.deepcopy(wrapped)
    torch.testing.assert_close(copied(images), plain(images), atol=1e-5, rtol=1e-5)


def test_spikes_are_fine_tuned():
    images, labels = digits()
    module = convnet()
    train(module, images[:1500], labels[:1500], 150)
    test = images[1500:1756], labels[1500:1756]
    spiking = nengo_dl.torch.wrap(
        module,
        images[:2],
        n_steps=8,
        swap_activations={"relu": nengo_dl.IntegrateAndFire()},
        scale_firing_rates="auto",
        calibration_data=images[:128],
    ).eval()
    before, plain = accuracy(spiking, *test), accuracy(module, *test)
    assert before > plain - 0.05
    losses = train(spiking.train(), images[:1500], labels[:1500], 20, lr=0.01)
    assert np.mean(losses[-5:]) < np.mean(losses[:5]) + 0.05
    assert accuracy(spiking.eval(), *test) > plain - 0.03


def test_reductions_and_structures():
    class Two(nn.Module):
        def forward(self, a, b):
            return a + b, a.flatten(1)

    x = torch.rand(3, 2, 2)
    wrapped = nengo_dl.torch.wrap(Two(), (x, x))
    total, flat = wrapped(x, 2 * x)
    torch.testing.assert_close(total, 3 * x)
    torch.testing.assert_close(flat, x.flatten(1))
    linear = nn.Linear(4, 2)
    for reduce, factor in (("sum", 3), ("last", 1), ("max", 1), ("mean", 1)):
        wrapped = nengo_dl.torch.wrap(linear, torch.rand(2, 4), 3, reduce=reduce)
        y = wrapped(x.flatten(1))
        torch.testing.assert_close(y, factor * linear(x.flatten(1)))
    wrapped = nengo_dl.torch.wrap(linear, torch.rand(2, 4), 3, reduce=None)
    assert wrapped(x.flatten(1)).shape == (3, 3, 2)


def test_errors():
    relu = nn.Sequential(nn.Linear(4, 2), nn.ReLU())
    with pytest.raises(ValidationError, match="must be a number of steps"):
        nengo_dl.torch.wrap(
            relu, torch.rand(2, 4), swap_activations={"relu": nengo.LIF()}
        )
    with pytest.raises(ValidationError, match="n_steps: must be a whole number"):
        nengo_dl.torch.wrap(relu, torch.rand(2, 4), 0)
    with pytest.raises(ValidationError, match="reduce"):
        nengo_dl.torch.wrap(relu, torch.rand(2, 4), 2, reduce="least")
