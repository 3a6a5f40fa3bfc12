"""Modules as Keras models: the same outputs, gradients, averages, or an error."""

import collections
import warnings

import keras
import numpy as np
import pytest

import nengo_dl
import nengo_dl.torch

torch = pytest.importorskip("torch")
nn, F = torch.nn, torch.nn.functional
cases = pytest.importorskip("tests.torch.cases")
networks = pytest.importorskip("tests.torch.networks")
same = pytest.importorskip("tests.torch.same")


class Several(nn.Module):
    """Modules side by side, which get the same inputs."""

    def __init__(self, modules):
        super().__init__()
        self.parts = nn.ModuleDict(modules)

    def forward(self, *inputs):
        return tuple(part(*(x * 1 for x in inputs)) for part in self.parts.values())


GROUPS = collections.defaultdict(list)
for case, (_, shapes_in) in cases.CASES.items():
    GROUPS[shapes_in].append(case)
CHUNKS = [
    (shapes_in, names[i : i + 30])
    for shapes_in, names in GROUPS.items()
    for i in range(0, len(names), 30)
]


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


@pytest.mark.parametrize("shapes, names", CHUNKS, ids=lambda x: str(x)[:40])
def test_modules_are_the_same(shapes, names):
    """For another minibatch than that of the examples, with all gradients."""
    module = Several({name: cases.CASES[name][0]() for name in names})
    same.check(module, shapes)


def test_in_double_precision():
    module = nn.Sequential(nn.Conv2d(4, 3, 3), nn.Tanh(), nn.BatchNorm2d(3)).double()
    same.check(module, [cases.IMAGE], tolerance=1e-12)


@pytest.mark.parametrize("name", cases.REFUSED)
def test_refused(name):
    make, shapes, match = cases.REFUSED[name]
    with pytest.raises(TypeError, match=match):
        nengo_dl.torch.to_keras(make(), same.examples(shapes))


def test_errors_name_all_operators():
    module = Several({name: cases.REFUSED[name][0]() for name in ("rrelu", "sorted")})
    with pytest.raises(TypeError) as error:
        nengo_dl.torch.to_keras(module, torch.zeros(2, 6))
    assert "aten.rrelu.default in parts.rrelu" in str(error.value)
    assert "aten.sort.default in parts.sorted" in str(error.value)
    found = nengo_dl.torch.coverage(module, torch.zeros(2, 6))
    assert not found.is_complete
    assert [use.path for use in found.missing] == ["parts.rrelu", "parts.sorted"]
    assert "aten.mul.Tensor" in [use.operator for use in found]
    assert "parts.rrelu" in str(found)


NETWORKS = {
    "net": (networks.Net, 32, "fc3"),
    "vgg": (lambda: networks.vgg((8, "M", 16, 16, "M", 16)), 16, "0"),
    "resnet": (lambda: networks.ResNet(4, 10), 32, "layer2_0_downsample_1"),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_networks(name):
    """They convert without TensorNodes."""
    make, size, layer = NETWORKS[name]
    module = networks.with_averages(make())
    model, _ = same.check(module, [(3, size, size)], n_items=2)
    assert model.get_layer(layer)
    converter = nengo_dl.Converter(model, allow_fallback=False, inference_only=True)
    assert not any(isinstance(n, nengo_dl.TensorNode) for n in converter.net.all_nodes)


def trained(module, model, n_steps=20):
    """Train both on the same data, with momentum."""
    optimizer = torch.optim.SGD(module.parameters(), lr=0.05, momentum=0.9)
    model.compile(keras.optimizers.SGD(0.05, momentum=0.9), "mse")
    module.train()
    for i in range(n_steps):
        x, y = same.examples([(3, 8, 8), (5,)], 16, torch.float64, seed=i)
        optimizer.zero_grad()
        F.mse_loss(module(x), y).backward()
        optimizer.step()
        model.train_on_batch(x.numpy(), y.numpy())


def test_training_is_the_same(tmp_path):
    """Also averages, which are those of unbiased variances; weights go back."""
    module = nn.Sequential(
        *(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten()),
        *(nn.Linear(144, 5), nn.BatchNorm1d(5)),
    ).double()
    x = torch.zeros(2, 3, 8, 8, dtype=torch.float64)
    model = nengo_dl.torch.to_keras(module, x)
    trained(module, model)
    state, wanted = nengo_dl.torch.to_state_dict(model), module.state_dict()
    assert set(state) == set(wanted)
    for name, tensor in wanted.items():
        torch.testing.assert_close(state[name], tensor, rtol=1e-6, atol=1e-6)
    other = nn.Sequential(*module)
    other.load_state_dict(state)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    again = nengo_dl.torch.to_state_dict(loaded)
    assert all(torch.equal(again[name], state[name]) for name in state)
    loaded.set_weights([np.zeros(w.shape) for w in loaded.weights])
    nengo_dl.torch.load_state_dict(loaded, wanted)
    again = nengo_dl.torch.to_state_dict(loaded)
    assert all(torch.equal(again[name], wanted[name]) for name in wanted)


class Corners(nn.Module):
    """Weights of all kinds: tied, fixed, unused, buffers, and used by themselves."""

    def __init__(self):
        super().__init__()
        self.first = nn.Linear(6, 6)
        self.second = nn.Linear(6, 6)
        self.second.weight = self.first.weight
        self.fixed = nn.Linear(6, 6).requires_grad_(False)
        self.unused = nn.Linear(2, 3)
        self.scale = nn.Parameter(torch.randn(6))
        self.register_buffer("shift", torch.randn(6))
        self.register_buffer("numbers", torch.arange(3.0))
        self.register_buffer("passing", torch.randn(6), persistent=False)

    def forward(self, x):
        y = self.second(self.fixed(self.first(x))) * self.scale + self.shift
        return {"y": y - self.passing, "z": x[:, :3] * (self.numbers * 2).sum()}


def test_weights_of_all_kinds():
    module = Corners()
    model, _ = same.check(module, [(6,)])
    state = nengo_dl.torch.to_state_dict(model)
    assert set(state) == set(module.state_dict())
    module.load_state_dict(state)
    trainable = {b.weight for b in model.bindings if b.trainable}
    assert trainable == {
        *("first.weight", "second.weight", "first.bias", "second.bias", "scale")
    }
    assert len(model.trainable_variables) == 4
    converter = nengo_dl.Converter(
        Corners(), example_inputs=torch.zeros(1, 6), inference_only=True
    )
    assert converter.verify(training=False)


class Differs(nn.Module):
    def forward(self, x):
        return x if self.training else x.softmax(-1)


def test_modes():
    with pytest.warns(UserWarning, match="same in training and evaluation"):
        model = nengo_dl.torch.to_keras(Differs(), torch.zeros(1, 3))
    np.testing.assert_allclose(model(np.zeros((1, 3))), 1 / 3, rtol=1e-6)
    with pytest.raises(ValueError, match="follow module.train()"):
        nengo_dl.torch.to_keras(
            cases.Function(lambda x: F.dropout(x, 0.5, False)), torch.zeros(1, 3)
        )
    module = nn.Sequential(nn.Dropout(0.5), nn.BatchNorm1d(3)).train()
    module[0].eval()
    before = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = nengo_dl.torch.to_keras(module, torch.randn(4, 3))
    assert module.training and not module[0].training
    assert all(torch.equal(module.state_dict()[name], before[name]) for name in before)
    x = np.ones((100, 3), "float32")
    assert np.mean(np.asarray(model.layers[1](x, training=True)) == 0) > 0.2


MISTAKES = {
    "no module": (lambda x: x, torch.zeros(1, 3), TypeError, "torch.nn.Module"),
    "no inputs": (nn.ReLU(), torch.zeros(0, 3), ValueError, "at least one item"),
    "a number": (nn.ReLU(), 1.0, ValueError, "at least one item"),
    "words": (nn.ReLU(), "x", TypeError, "tensors or arrays"),
    "other numbers of items": (
        nn.Bilinear(3, 3, 1),
        (torch.zeros(1, 3), torch.zeros(2, 3)),
        ValueError,
        "as many items",
    ),
    "other shape": (nn.Linear(4, 3), torch.zeros(2, 3), TypeError, "torch.export"),
    "half precision": (
        nn.Linear(3, 3).half(),
        torch.zeros(2, 3, dtype=torch.half),
        ValueError,
        "single or double precision",
    ),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_mistakes(name):
    module, inputs, error, match = MISTAKES[name]
    with pytest.raises(error, match=match):
        nengo_dl.torch.to_keras(module, inputs)


def test_mistakes_with_weights():
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    with pytest.raises(TypeError, match="to_keras"):
        nengo_dl.torch.to_state_dict(model)
    with pytest.raises(TypeError, match="to_keras"):
        nengo_dl.torch.load_state_dict(model, {})
    model = nengo_dl.torch.to_keras(nn.Linear(2, 1), torch.zeros(1, 2))
    with pytest.raises(ValueError, match="none for .'bias'."):
        nengo_dl.torch.load_state_dict(model, {"weight": torch.zeros(1, 2)})
    with pytest.raises(TypeError, match="example_inputs: expected typical inputs"):
        nengo_dl.Converter(nn.Linear(2, 1))
    with pytest.raises(TypeError, match="example_inputs: expected none"):
        nengo_dl.Converter(model, example_inputs=torch.zeros(1, 2))


def test_a_wrong_translation_is_an_error(monkeypatch):
    from nengo.exceptions import BuildError

    from nengo_dl.exchange.registry import OPERATORS, Operator

    wrong = Operator(lambda emit, x: emit.value(x))
    monkeypatch.setitem(OPERATORS, "aten.relu.default", wrong)
    with pytest.raises(BuildError, match="mistake of the translation"):
        nengo_dl.torch.to_keras(nn.ReLU(), torch.randn(2, 3))


def test_names_are_those_of_pytorch():
    """Each operator of the table is one of ATen's."""
    for name in nengo_dl.torch.supported_operators():
        _, packet, overload = name.split(".")
        assert getattr(getattr(torch.ops.aten, packet), overload), name


def digits():
    """Return images of digits, and labels, for training and for tests."""
    data = pytest.importorskip("sklearn.datasets").load_digits()
    x = (data.images / 16).astype("float32")[:, None]
    return (x[:1200], data.target[:1200]), (x[1200:], data.target[1200:])


def test_digits_in_spikes():
    """A classifier of PyTorch's fires as well after 16 steps as it computes."""
    (x, y), (x_test, y_test) = digits()
    module = nn.Sequential(
        *(nn.Conv2d(1, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU()),
        *(nn.MaxPool2d(2), nn.Conv2d(16, 32, 3, padding=1), nn.BatchNorm2d(32)),
        *(nn.ReLU(), nn.AvgPool2d(2), nn.Flatten(), nn.Linear(128, 10)),
    )
    optimizer = torch.optim.Adam(module.parameters(), 5e-3)
    for _ in range(4):
        for index in torch.randperm(len(x)).split(60):
            loss = F.cross_entropy(
                module(torch.tensor(x[index])), torch.tensor(y[index])
            )
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    module.eval()
    expected = np.mean(module(torch.tensor(x_test)).argmax(1).numpy() == y_test)
    assert expected > 0.9
    converter = nengo_dl.Converter(
        module,
        example_inputs=x[:2],
        allow_fallback=False,
        inference_only=True,
        swap_activations={"relu": nengo_dl.IntegrateAndFire()},
        calibration_data=torch.tensor(x[:300]),
    )
    outputs = converter.predict(x_test, n_steps=16)
    found = np.mean(np.argmax(outputs, axis=-1) == y_test)
    assert found >= expected - 0.005
