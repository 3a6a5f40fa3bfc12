"""ONNX files as Keras models and Nengo networks.

Needs the package ``onnx``: ``pip install nengo_dl[onnx]``; see :doc:`/onnx`.
"""

from nengo_dl.exchange import Coverage, OperatorUse
from nengo_dl.onnx.translation import coverage, supported_operators, to_keras

__all__ = ["Coverage", "OperatorUse", "coverage", "supported_operators", "to_keras"]
