"""Models from other libraries: one table of operators, and layers of Keras.

Readers make a `Graph`; `translate` makes a Keras model of it, with functions from the
table of operators. Nothing here knows any of the libraries.
"""

from nengo_dl.exchange.translate import (
    Coverage,
    OperatorUse,
    attempt,
    coverage,
    refusal,
    translate,
)

__all__ = [
    "Coverage",
    "OperatorUse",
    "attempt",
    "coverage",
    "refusal",
    "translate",
]
