"""Networks as modules of torch: same as Keras, exact gradients, no traps."""

import copy
import io
import pickle

import keras
import nengo
import numpy as np
import pytest
import tensorflow as tf
from nengo.exceptions import SimulationError, ValidationError

import nengo_dl

torch = pytest.importorskip("torch")

SIZE = 4


def two_ends(neuron_type=None, dtype="float32"):
    """Two inputs, two outputs, and synapses."""
    with nengo.Network(seed=0) as net:
        nengo_dl.configure_settings(dtype=dtype)
        a = nengo.Node(np.zeros(2), label="a")
        b = nengo.Node(np.zeros(3), label="b")
        ens = nengo.Ensemble(
            6, 2, neuron_type=neuron_type or nengo.LIFRate(), label="ens"
        )
        nengo.Connection(a, ens)
        nengo.Connection(b[:2], ens, synapse=0.02)
        nengo.Probe(ens, synapse=0.01, label="decoded")
        nengo.Probe(ens.neurons, label="activity")
    return net


def one_end(neuron_type=None, node=None, **arguments):
    with nengo.Network(seed=0) as net:
        stimulus = nengo.Node(np.zeros(SIZE), label="stimulus")
        ens = nengo.Ensemble(
            8, SIZE, neuron_type=neuron_type or nengo.LIF(), **arguments
        )
        nengo.Connection(stimulus, ens)
        if node is not None:
            called = nengo.Node(node, size_in=SIZE)
            nengo.Connection(stimulus, called, synapse=None)
            nengo.Connection(called, ens)
        nengo.Probe(ens, synapse=0.01)
    return net


def learning():
    with nengo.Network(seed=0) as net:
        stimulus = nengo.Node(np.zeros(SIZE))
        pre = nengo.Ensemble(8, SIZE, neuron_type=nengo.LIFRate())
        post = nengo.Node(size_in=SIZE)
        nengo.Connection(stimulus, pre)
        conn = nengo.Connection(pre, post, learning_rule_type=nengo.PES(0.1))
        nengo.Connection(stimulus, conn.learning_rule)
        nengo.Probe(post)
    return net


def layers():
    keras.utils.set_random_seed(0)
    with nengo.Network(seed=0) as net:
        x = nengo.Node(np.zeros(SIZE))
        x = nengo_dl.Layer(keras.layers.Dense(5))(x)
        x = nengo_dl.Layer(keras.layers.BatchNormalization())(x)
        x = nengo_dl.Layer(nengo.RectifiedLinear())(x)
        nengo.Probe(x)
    return net


def parameter():
    with nengo.Network(seed=0) as net:
        a = nengo.Node(np.zeros(SIZE))
        b = nengo.Node(size_in=2)
        conn = nengo.Connection(a, b, transform=np.ones((2, SIZE)), synapse=None)
        nengo.Probe(b)
        nengo.Probe(conn, "weights")
    return net


def rates():
    return one_end(nengo.LIFRate())


def python():
    return one_end(nengo.Tanh(), lambda t, x: x**2)


def noisy():
    neurons = nengo.PoissonSpiking(nengo.LIFRate())
    return one_end(neurons, noise=nengo.processes.WhiteNoise())


# networks, and whether they are in training
SAME_AS_KERAS = (
    (one_end, False),
    (noisy, True),
    (python, True),
    (learning, True),
    (layers, True),
    (parameter, False),
)


@pytest.fixture(scope="module")
def module():
    """A module of a network with two inputs and two outputs."""
    return nengo_dl.torch.Network(two_ends())


@pytest.fixture(scope="module")
def data():
    rng = np.random.RandomState(0)
    return torch.tensor(rng.normal(size=(2, 3, 2)), dtype=torch.float32), torch.tensor(
        rng.normal(size=(2, 3, 3)), dtype=torch.float32
    )


def trained(module):
    return [p for p in module.parameters() if p.requires_grad]


def numbers(*shape, seed=0):
    return np.random.RandomState(seed).normal(size=shape).astype(np.float32)


@pytest.mark.filterwarnings("ignore:.*runs in Python each step")
@pytest.mark.parametrize("make, training", SAME_AS_KERAS)
def test_outputs_gradients_and_buffers_are_those_of_keras(make, training):
    net = make()
    module = nengo_dl.torch.Network(net).train(training)
    layer = nengo_dl.NengoLayer(net)
    x = numbers(3, 4, SIZE)
    given, wanted = torch.tensor(x, requires_grad=True), tf.constant(x)
    for _ in range(2):
        with tf.GradientTape() as tape:
            tape.watch(wanted)
            ours = keras.tree.flatten(layer(wanted, training=training))
            loss = sum(tf.reduce_sum(y**2) for y in ours)
        sources = [v.value for v in layer.trainable_variables]
        expected = tape.gradient(loss, [wanted, *sources], None, "zero")
        outputs = module(given)
        outputs = [outputs] if isinstance(outputs, torch.Tensor) else list(outputs)
        for got, own in zip(outputs, ours, strict=True):
            np.testing.assert_allclose(got.detach(), own, rtol=1e-4, atol=1e-5)
        found = torch.autograd.grad(
            sum((y**2).sum() for y in outputs),
            [given, *trained(module)],
            materialize_grads=True,
        )
        expected = [np.asarray(tf.convert_to_tensor(each)) for each in expected]
        scale = 1e-6 * max(np.abs(each).max() for each in expected)
        for got, own in zip(found, expected, strict=True):
            np.testing.assert_allclose(got, own, rtol=1e-4, atol=scale + 1e-6)
        buffers = list(module.buffers())
        others = layer.non_trainable_variables
        for got, own in zip(buffers, others[len(others) - len(buffers) :], strict=True):
            np.testing.assert_allclose(got, own, rtol=1e-5)


def test_gradients_equal_finite_differences():
    module = nengo_dl.torch.Network(two_ends(nengo.Tanh(), "float64"))
    a = torch.tensor(numbers(2, 3, 2), dtype=torch.float64, requires_grad=True)
    b = torch.tensor(numbers(2, 3, 3), dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(module, (a, b), fast_mode=True)
    names, values = zip(*module.named_parameters(), strict=True)

    def of_parameters(*values):
        given = dict(zip(names, values, strict=True))
        return tuple(torch.func.functional_call(module, given, (a, b)))

    assert torch.autograd.gradcheck(of_parameters, values, fast_mode=True)


def test_all_parameters_have_the_names_of_keras(module):
    layer = nengo_dl.NengoLayer(module.network)
    expected = {variable.name: variable.trainable for variable in layer.weights}
    assert {k: p.requires_grad for k, p in module.named_parameters()} == expected
    assert list(module.state_dict()) == list(expected)
    assert "inputs=('a', 'b'), outputs=('decoded', 'activity')" in repr(module)


def test_labels_that_are_names_of_torch():
    with nengo.Network(seed=0) as net:
        a = nengo.Node([0.0])
        for label in ("forward", "a.b", "training", "a.b.bias", "network", "."):
            nengo.Connection(a, nengo.Ensemble(3, 1, label=label))
        nengo.Probe(net.ensembles[0])
    module = nengo_dl.torch.Network(net)
    n_weights = len(nengo_dl.NengoLayer(net).weights)
    assert len(list(module.parameters())) == n_weights == len(module.state_dict())
    assert module(torch.zeros(1, 2, 1)).shape == (1, 2, 1)


def test_outputs_have_names(module, data):
    outputs = module(*data)
    decoded, activity = outputs
    assert outputs["decoded"] is decoded and outputs[1] is activity
    assert dict(outputs.items()).keys() == set(outputs.keys())
    assert outputs.values() == (decoded, activity)
    again = copy.copy(outputs)
    assert again.names == outputs.names and "decoded" in repr(again)
    with pytest.raises(KeyError, match="c"):
        outputs["c"]


def test_inputs_by_name_and_in_a_list(module, data):
    expected = module(*data)[0]
    for given in ({"b": data[1], "a": data[0]}, list(data)):
        assert torch.equal(module(given)[0], expected)


def test_inputs_that_are_held(module, data):
    held = [x[:, :1] for x in data]
    repeated = [x.expand(-1, 3, -1) for x in held]
    torch.testing.assert_close(module(*held, n_steps=3)[0], module(*repeated)[0])
    with torch.no_grad():
        assert module(n_steps=3)[0].shape == (1, 3, 2)


# functions from an aligned tensor of float32 to one with the same numbers
FORMS = {
    "unaligned": lambda x: torch.cat([torch.zeros(1), x.ravel()])[1:].view(x.shape),
    "strided": lambda x: torch.stack([x, x], -1)[..., 0],
    "transposed": lambda x: x.transpose(0, 1).contiguous().transpose(0, 1),
    "requires_grad": lambda x: x.clone().requires_grad_(),
    "float64": lambda x: x.double(),
    "float16": lambda x: x.half(),
    "bfloat16": lambda x: x.bfloat16(),
    "int": lambda x: x.int(),
    "uint8": lambda x: x.to(torch.uint8),
    "bool": lambda x: x.bool(),
    "negative": lambda x: torch.complex(torch.zeros_like(x), -x).conj().imag,
}


@pytest.mark.parametrize("form", FORMS)
def test_tensors_of_every_form(form, module):
    whole = [torch.arange(2 * 3 * n).reshape(2, 3, n) % 2 for n in (2, 3)]
    x = [each.float() for each in whole]
    expected = module(*x)[0]
    assert torch.equal(module(*map(FORMS[form], x))[0], expected)


@pytest.mark.parametrize("dtype", [torch.float16, torch.float64])
def test_gradients_have_the_type_of_inputs(dtype, module, data):
    x = data[0].to(dtype).requires_grad_()
    module(x, data[1])[0].sum().backward()
    assert x.grad.dtype is dtype and x.grad.abs().sum() > 0


def test_parameters_of_every_form(module, data):
    expected = module(*data)[0]
    for form in ("unaligned", "strided"):
        other = copy.deepcopy(module)
        for parameter in other.parameters():
            parameter.data = FORMS[form](parameter.data)
        y = other(*data)[0]
        y.sum().backward()
        assert torch.equal(y, expected)
        assert all(p.grad is not None for p in trained(other))


ERRORS = {
    "complex": (lambda a, b: (a + 0j, b), "expected real numbers .got torch.complex64"),
    "sparse": (lambda a, b: (a.to_sparse(), b), "expected a dense tensor .*to_dense"),
    "device": (
        lambda a, b: (a.to("meta"), b),
        "expected a tensor on the CPU .got meta",
    ),
    "array": (lambda a, b: (a.numpy(), b), "expected a torch.Tensor .got ndarray"),
    "axes": (lambda a, b: (a[0], b), r"expected shape .minibatch_size, n_steps, 2."),
    "size": (lambda a, b: (b, b), r"expected shape .minibatch_size, n_steps, 2."),
    "items": (lambda a, b: (a[:1], b), "the same number of items and steps"),
    "many": (lambda a, b: (a, b, b), "expected at most 2 inputs"),
    "name": (lambda a, b: ({"c": a},), "expected names of input nodes"),
    "none": (lambda a, b: (), "expected at least one of 'a', 'b'"),
    "steps": (lambda a, b: (a[:, :0], b[:, :0]), "expected at least one time step"),
}


@pytest.mark.parametrize("change, match", ERRORS.values(), ids=ERRORS)
def test_errors_of_inputs(change, match, module, data):
    with pytest.raises(ValidationError, match=match):
        module(*change(*data))


def test_errors_of_parameters(data):
    module = nengo_dl.torch.Network(two_ends())
    with pytest.raises(ValidationError, match="float32 or float64 .got torch.float16"):
        copy.deepcopy(module).half()(*data)
    module.ens.double()
    with pytest.raises(ValidationError, match="torch.float32, torch.float64"):
        module(*data)
    module.ens.float().bias = torch.nn.Parameter(torch.zeros(3))
    with pytest.raises(ValidationError, match=r"ens.bias: expected shape \(6,\)"):
        module(*data)
    with pytest.raises(ValidationError, match="stateful: needs the minibatch_size"):
        nengo_dl.torch.Network(two_ends(), stateful=True)


def test_writing_to_outputs_changes_nothing_else():
    module = nengo_dl.torch.Network(parameter())
    x = torch.ones(2, 3, SIZE)
    first = [y.clone() for y in module(x)]
    for output in module(x):
        output.detach().zero_()
    for got, expected in zip(module(x), first, strict=True):
        assert torch.equal(got, expected)


def test_writing_to_gradients_changes_nothing_else(module, data):
    for _ in range(2):
        module.zero_grad()
        module(*data)[0].sum().backward()
        found = [p.grad.clone() for p in trained(module)]
        for parameter in trained(module):
            parameter.grad.add_(1)
    module.zero_grad()
    module(*data)[0].sum().backward()
    for parameter, expected in zip(trained(module), found, strict=True):
        assert torch.equal(parameter.grad, expected)


@pytest.mark.filterwarnings("ignore:.*runs in Python each step")
@pytest.mark.parametrize("make", [rates, python])
def test_parameters_that_change_before_gradients_are_taken(make):
    module = nengo_dl.torch.Network(make())
    loss = module(torch.ones(2, 3, SIZE)).sum()
    with torch.no_grad():
        next(module.parameters()).add_(1)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        loss.backward()


def test_gradients_cannot_be_differentiated(module, data):
    x = data[0].clone().requires_grad_()
    y = module(x, data[1])[0].sum()
    (found,) = torch.autograd.grad(y, x, create_graph=True)
    with pytest.raises(SimulationError, match="expected to be differentiated once"):
        (x.sum() + found.sum()).backward()


@pytest.mark.filterwarnings("ignore:.*runs in Python each step")
@pytest.mark.parametrize("make", [rates, python])
def test_gradients_are_added_up(make):
    module = nengo_dl.torch.Network(make())
    loss = module(torch.ones(2, 3, SIZE)).sum()
    loss.backward(retain_graph=True)
    once = [p.grad.clone() for p in trained(module)]
    loss.backward()
    for parameter, expected in zip(trained(module), once, strict=True):
        torch.testing.assert_close(parameter.grad, 2 * expected)


def test_minibatches_of_any_size_compile_once():
    module = nengo_dl.torch.Network(one_end(nengo.LIFRate()))
    x = torch.tensor(numbers(8, 3, SIZE))
    whole = module(x)
    whole.sum().backward()
    compiled = module._shared.compiled()
    n_functions = len(compiled._functions)
    for n_items in (8, 5, 1, 0):
        part = module(x[:n_items])
        assert part.shape == (n_items, 3, SIZE)
        torch.testing.assert_close(part, whole[:n_items])
    module.zero_grad()
    module(x[:5]).sum().backward()
    found = [p.grad.clone() for p in trained(module)]
    assert len(compiled._functions) == n_functions
    other = copy.deepcopy(module)
    other.zero_grad()
    sum(other(x[i : i + 1]).sum() for i in range(5)).backward()
    for parameter, expected in zip(trained(other), found, strict=True):
        torch.testing.assert_close(parameter.grad, expected, rtol=1e-4, atol=1e-4)


def test_items_that_are_filled_up_have_no_part_in_gradients():
    with nengo.Network() as net:
        nengo_dl.configure_settings(jit_compile=True)
        a = nengo.Node([1.0])
        b = nengo_dl.Layer(lambda x: 1 / x)(a)
        c = nengo.Node(size_in=1)
        nengo.Connection(b, c, transform=2, synapse=None)
        nengo.Probe(c)
    module = nengo_dl.torch.Network(net)
    x = torch.full((4, 2, 1), 2.0, requires_grad=True)
    module(x)
    module(x[:3]).sum().backward()
    assert torch.equal(x.grad[:3], torch.full((3, 2, 1), -0.5))


def test_sizes_that_come_often_are_compiled():
    from nengo_dl.torch.sizes import MAX_MISFITS, Sizes

    sizes = Sizes()
    assert [sizes.choose("a", n) for n in (32, 7, 33, 20, 0)] == [32, 32, 33, 32, 32]
    assert sizes.choose("b", 7) == 7
    found = {sizes.choose("a", 3) for _ in range(MAX_MISFITS + 2)}
    assert found == {32, 3}
    assert sizes.choose("a", 3) == 3


def test_copies_are_independent(module, data):
    other = copy.deepcopy(module)
    assert torch.equal(other(*data)[0], module(*data)[0])
    with torch.no_grad():
        other.ens.bias.add_(1)
    assert not torch.equal(other(*data)[0], module(*data)[0])
    other.load_state_dict(module.state_dict())
    assert torch.equal(other(*data)[0], module(*data)[0])


def test_states_and_modules_in_files(module, data):
    file = io.BytesIO()
    torch.save(module.state_dict(), file)
    file.seek(0)
    with torch.no_grad():
        other = nengo_dl.torch.Network(two_ends())
        other.ens.bias.add_(1)
        other.load_state_dict(torch.load(file, weights_only=True))
    again = pickle.loads(pickle.dumps(module))
    for each in (other, again):
        assert torch.equal(each(*data)[0], module(*data)[0])


def test_double_precision(module, data):
    other = copy.deepcopy(module).double()
    outputs = other(*data)
    assert outputs[0].dtype is torch.float64
    torch.testing.assert_close(outputs[0].float(), module(*data)[0])
    back = other.float()(*data)
    assert torch.equal(back[0], module(*data)[0])


def test_training_is_a_mode():
    module = nengo_dl.torch.Network(one_end())
    x = torch.ones(1, 20, SIZE)
    layer = nengo_dl.NengoLayer(module.network)
    for training in (False, True):
        y = module.train(training)(x)
        expected = layer(x.numpy(), training=training)
        np.testing.assert_allclose(y.detach(), expected, atol=1e-5)


def test_no_gradients(module, data):
    with torch.no_grad():
        assert not module(*data)[0].requires_grad
    with torch.inference_mode():
        assert module(*data)[0].is_inference()
    frozen = copy.deepcopy(module).requires_grad_(False)
    assert not frozen(*data)[0].requires_grad
    x = data[0].clone().requires_grad_()
    frozen(x, data[1])[0].sum().backward()
    assert x.grad is not None and frozen.ens.bias.grad is None


def test_stateful_modules_go_on():
    module = nengo_dl.torch.Network(learning(), stateful=True, minibatch_size=2)
    layer = nengo_dl.NengoLayer(module.network, stateful=True, minibatch_size=2)
    x = numbers(2, 6, SIZE)
    for reset in (False, True):
        for part in (x[:, :3], x[:, 3:]):
            y = module(torch.tensor(part))
            np.testing.assert_allclose(y.detach(), layer(part), atol=1e-6)
        copied = copy.deepcopy(module)
        assert torch.equal(copied(torch.tensor(x)), module(torch.tensor(x)))
        if not reset:
            layer.reset_state()
            module.reset_state()
    with pytest.raises(ValidationError, match="expected shape .2, n_steps"):
        module(torch.zeros(3, 3, SIZE))


def test_dropout_has_the_same_mask_in_gradients():
    with nengo.Network() as net:
        a = nengo.Node(np.zeros(40))
        nengo.Probe(nengo_dl.Layer(keras.layers.Dropout(0.5, seed=3))(a))
    module = nengo_dl.torch.Network(net)
    x = torch.ones(2, 3, 40, requires_grad=True)
    first, second = module(x), module(x)
    assert not torch.equal(first, second)
    for y in (first, second):
        assert torch.equal(torch.autograd.grad(y.sum(), x)[0], y)
    assert torch.equal(module.eval()(x), x)


@pytest.mark.filterwarnings("ignore:.*runs in Python each step")
def test_errors_of_functions():
    def fail(t, x):
        if t > 0:
            raise ZeroDivisionError("on purpose")
        return x

    module = nengo_dl.torch.Network(one_end(node=fail))
    with pytest.raises(SimulationError, match="ZeroDivisionError: on purpose"):
        module(torch.zeros(1, 2, SIZE))


def test_two_networks_in_a_model_and_workers():
    torch.manual_seed(0)
    net = rates()
    with net:
        nengo_dl.configure_settings(jit_compile=False)
    shared = nengo_dl.torch.Network(net)
    model = torch.nn.Sequential(
        torch.nn.Linear(3, SIZE), shared, nengo_dl.torch.Network(net), shared
    )
    optimizer = torch.optim.Adam(model.parameters(), 1e-2)
    x, y = torch.tensor(numbers(20, 3, 3)), torch.tensor(numbers(20, 3, SIZE, seed=1))
    items = torch.utils.data.TensorDataset(x, y)
    batches = list(torch.utils.data.DataLoader(items, batch_size=8, num_workers=2))
    losses = []
    for _ in range(3):
        for a, b in batches:
            optimizer.zero_grad()
            loss = torch.nn.functional.mse_loss(model(a), b)
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
    assert losses[6] < losses[3] < losses[0]


class Plain(torch.nn.Module):
    """The rate network of the next test, in torch alone."""

    def __init__(self, hidden, output):
        super().__init__()
        self.hidden, self.output = hidden, output

    def forward(self, x):
        return self.output(torch.relu(self.hidden(x)))


def test_the_loop_of_tutorials_has_the_losses_of_torch():
    torch.manual_seed(0)
    plain = Plain(torch.nn.Linear(16, 32), torch.nn.Linear(32, 10, bias=False))
    with nengo.Network(seed=0) as net:
        net.config[nengo.Connection].synapse = None
        stimulus = nengo.Node(np.zeros(16))
        hidden = nengo.Ensemble(
            32,
            1,
            neuron_type=nengo.RectifiedLinear(),
            gain=np.ones(32),
            bias=plain.hidden.bias.detach().numpy(),
        )
        output = nengo.Node(size_in=10)
        for a, b, linear in (
            (stimulus, hidden.neurons, plain.hidden),
            (hidden.neurons, output, plain.output),
        ):
            nengo.Connection(a, b, transform=linear.weight.detach().numpy())
        nengo.Probe(output)
    model = nengo_dl.torch.Network(net)
    rng = np.random.RandomState(0)
    images = torch.tensor(rng.normal(size=(120, 16)), dtype=torch.float32)
    labels = torch.tensor(rng.randint(10, size=120))
    losses = []
    for each in (plain, lambda x: model(x[:, None])[:, 0]):
        parameters = (plain if each is plain else model).parameters()
        optimizer = torch.optim.SGD(parameters, lr=0.05, momentum=0.9)
        found = []
        for i in range(30):
            chosen = slice(8 * (i % 15), 8 * (i % 15) + 8)
            optimizer.zero_grad()
            loss = torch.nn.functional.cross_entropy(
                each(images[chosen]), labels[chosen]
            )
            loss.backward()
            optimizer.step()
            found.append(loss.item())
        losses.append(found)
    np.testing.assert_allclose(losses[1], losses[0], atol=1e-5)
    assert losses[0][-1] < losses[0][0]
