"""Tensors of torch as data of simulations and layers."""

import nengo
import numpy as np
import pytest
from nengo.exceptions import ValidationError

import nengo_dl
from nengo_dl.simulator.real_numbers import as_numbers

torch = pytest.importorskip("torch")

X = torch.linspace(-1, 1, 24).reshape(4, 3, 2)


@pytest.fixture(scope="module")
def net():
    with nengo.Network(seed=0) as net:
        nengo_dl.configure_settings(jit_compile=False)
        net.a = nengo.Node(np.zeros(2))
        net.p = nengo.Probe(net.a)
    return net


def test_tensors_in_and_out(net):
    with nengo_dl.Simulator(net, minibatch_size=4, progress_bar=False) as sim:
        sim.compile("sgd", "mse")
        assert torch.equal(torch.as_tensor(sim.predict(X, verbose=0)[net.p]), X)
        assert sim.evaluate(X, X, verbose=0)["loss"] == 0
        sim.run_steps(3, data={net.a: X})
        assert torch.equal(torch.tensor(sim.data[net.p]), X)
        with pytest.raises(ValidationError, match="requires grad. Use tensor.detach"):
            sim.predict(X.clone().requires_grad_())
    layer = nengo_dl.NengoLayer(net)
    assert torch.equal(torch.from_dlpack(layer(X)), X)
    with pytest.raises(ValidationError, match="requires grad. Use tensor.detach"):
        layer(X.clone().requires_grad_())


@pytest.mark.parametrize("change", [torch.Tensor.half, torch.Tensor.int, torch.t])
def test_numbers_are_the_same(change):
    x = change(X[0])
    assert np.array_equal(as_numbers(x), x.numpy())
    assert np.shares_memory(as_numbers(x), x.numpy())


@pytest.mark.parametrize(
    "change, match",
    [
        (torch.Tensor.to_sparse, "can't convert Sparse layout .* Use Tensor.to_dense"),
        (torch.Tensor.bfloat16, "got Tensor: Got unsupported ScalarType BFloat16"),
        (lambda x: x.to("meta"), "can't convert meta device"),
        (lambda x: x + 1j, "got dtype complex64"),
    ],
)
def test_tensors_that_cannot_be_read(change, match):
    with pytest.raises(ValueError, match=match):
        as_numbers(change(X))
