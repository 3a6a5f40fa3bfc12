"""That a Keras model is the same as the PyTorch module that it comes from."""

import keras
import numpy as np
import tensorflow as tf
import torch

import nengo_dl.torch
from nengo_dl.torch.checking import leaves


def examples(shapes, n_items=3, dtype=torch.float32, seed=0):
    """Return random inputs of a module."""
    generator = torch.Generator().manual_seed(seed)
    return tuple(
        torch.randn((n_items, *shape), generator=generator, dtype=dtype)
        for shape in shapes
    )


def flat(outputs):
    return tuple(leaves(outputs))


def torch_gradients(module, inputs):
    """Return outputs, gradients by inputs, and gradients by parameters."""
    inputs = tuple(x.clone().requires_grad_(x.is_floating_point()) for x in inputs)
    outputs = flat(module(*(x * 1 for x in inputs)))
    loss = sum((weights_like(y) * y).sum() for y in outputs)
    named = {k: v for k, v in module.named_parameters() if v.requires_grad}
    wanted = [x for x in inputs if x.requires_grad]
    found = torch.autograd.grad(loss, [*wanted, *named.values()], allow_unused=True)
    by_input = found[: len(wanted)]
    by_parameter = dict(zip(named, found[len(wanted) :], strict=True))
    return [y.detach().numpy() for y in outputs], by_input, by_parameter


def weights_like(y):
    """Return numbers by which outputs are weighted in a loss."""
    return torch.cos(torch.arange(y.numel(), dtype=y.dtype)).reshape(y.shape)


def keras_gradients(model, inputs):
    """Return the same for a Keras model."""
    inputs = [tf.constant(x.detach().numpy()) for x in inputs]
    floats = [x for x in inputs if x.dtype.is_floating]
    with tf.GradientTape() as tape:
        tape.watch(floats)
        outputs = keras.tree.flatten(model(inputs if len(inputs) > 1 else inputs[0]))
        loss = 0.0
        for y in outputs:
            weights = np.cos(np.arange(np.prod(y.shape))).reshape(y.shape)
            loss += tf.reduce_sum(y * tf.cast(weights, y.dtype))
    variables = [v.value for v in model.trainable_variables]
    found = tape.gradient(loss, [*floats, *variables])
    paths = [v.path for v in model.trainable_variables]
    by_variable = dict(zip(paths, found[len(floats) :], strict=True))
    return [y.numpy() for y in outputs], found[: len(floats)], by_variable


def parameter_gradients(model, by_variable):
    """Return gradients by variables as those by parameters of the source."""
    found = {}
    for binding in model.bindings:
        if binding.trainable:
            gradient = by_variable[binding.variable(model).path]
            empty = np.zeros(binding.shape, "float64")
            into = found.setdefault(binding.weight, empty)
            if gradient is not None:
                binding.form.to_source(np.asarray(gradient), into)
    return found


def difference(a, b):
    """Return the largest difference, in units of the largest element or 1."""
    a, b = np.asarray(a), np.asarray(b)
    assert a.shape == b.shape
    return np.max(np.abs(a - b), initial=0) / max(1, np.max(np.abs(b), initial=0))


def check(module, shapes, tolerance=1e-5, n_items=3):
    """Translate a module; return the model, and the largest relative difference."""
    dtype = next((p.dtype for p in module.parameters()), torch.float32)
    module.eval()
    model = nengo_dl.torch.to_keras(module, examples(shapes, 2, dtype))
    inputs = examples(shapes, n_items, dtype, seed=1)
    y, by_input, by_parameter = torch_gradients(module, inputs)
    y2, by_input2, by_variable = keras_gradients(model, inputs)
    assert len(y) == len(y2)
    by_parameter2 = parameter_gradients(model, by_variable)
    pairs = list(zip(y2, y, strict=True))
    for ours, theirs in zip(by_input2, by_input, strict=True):
        theirs = np.zeros(ours.shape) if theirs is None else theirs
        pairs.append((ours, theirs))
    for name, theirs in by_parameter.items():
        ours = by_parameter2.get(name)
        if theirs is not None:
            pairs.append((ours, theirs))
        else:
            assert ours is None or not np.any(ours)
    found = [difference(*pair) for pair in pairs]
    assert max(found) < tolerance, found
    return model, max(found)
