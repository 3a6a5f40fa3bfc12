"""Calls of traced functions from Python at their lowest price.

A small compiled computation takes less time than TensorFlow's public way to it. Here is
the only use of names of TensorFlow's execution that nobody promises; where they are
gone, or do not do what they did, calls are public.
"""

import importlib
from collections.abc import Callable
from typing import Any

import tensorflow as tf

RawCall = Callable[[list[tf.Tensor]], list[tf.Tensor]]


def public_call(function: Any) -> RawCall:
    """Return a traced function as one from a list of tensors to a list of tensors.

    Parameters
    ----------
    function : tf.types.experimental.ConcreteFunction
        The function.

    Returns
    -------
    call : callable
        Takes all tensors that the function takes, and returns all that it returns, in
        the order of ``tf.nest.flatten``.
    """

    def call(tensors: list[tf.Tensor]) -> list[tf.Tensor]:
        signature, _ = function.structured_input_signature
        arguments = tf.nest.pack_sequence_as(signature, tensors)
        return tf.nest.flatten(function(*arguments))

    return call


def raw_call(function: Any) -> RawCall:
    """Do as `public_call`, at a lower price, for a function without effects.

    If a call fails, it is made again in public: those errors say what is wrong. All
    calls are on the current device. No gradients are recorded.
    """
    in_public = public_call(function)
    try:
        execute = importlib.import_module("tensorflow.python.pywrap_tfe").TFE_Py_Execute
        context = importlib.import_module("tensorflow.python.eager.context").context()
        handle, device = context._handle, context.device_name
        name = function.name.decode()
    except (ImportError, AttributeError):
        return in_public
    # what a function captures are its last arguments
    captured = list(function.captured_inputs)
    n_outputs = len(tf.nest.flatten(function.structured_outputs))

    def call(tensors: list[tf.Tensor]) -> list[tf.Tensor]:
        try:
            return execute(handle, device, name, tensors + captured, (), n_outputs)
        except Exception:
            return in_public(tensors)

    return call
