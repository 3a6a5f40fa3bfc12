"""What a conversion of a Keras model may refuse.

Refusals are announced by the documentation; `tests.test_random_models` checks that.
"""

from typing import NamedTuple


class Refusal(NamedTuple):
    """An error that a conversion is allowed to raise.

    Parameters
    ----------
    error : type
        Its type.
    words : str
        A regular expression that its message contains.
    option : tuple or None
        An option of `nengo_dl.Converter` and the value that it must have.
    page : str
        A file of the documentation, or with public docstrings.
    quote : str
        What is written there.
    """

    error: type
    words: str
    option: tuple | None
    page: str
    quote: str


CONVERTER = "nengo_dl/converter/converter.py"
TABLE = "docs/converter.rst"
REFUSALS = [
    Refusal(
        TypeError,
        r"Pass allow_fallback=True to keep it as a TensorNode",
        ("allow_fallback", False),
        TABLE,
        "``allow_fallback=False`` this is an error, which lists all such layers.",
    ),
    Refusal(
        ValueError,
        r"expected one call of a layer with weights",
        ("split_shared_weights", False),
        CONVERTER,
        "otherwise a second call is an error",
    ),
    Refusal(
        ValueError,
        r"expected a shape that is known beyond the minibatch",
        None,
        CONVERTER,
        "If shapes are unknown",
    ),
    Refusal(
        TypeError,
        r"'time_distributed\w*': expected temporal_model=True",
        ("temporal_model", False),
        TABLE,
        "temporal_model=True; else it is an error",
    ),
    *(
        Refusal(
            TypeError,
            words,
            ("temporal_model", True),
            CONVERTER,
            "All layers must then work on each time step for itself",
        )
        for words in (
            r"treats each (item and )?time step for itself",
            r"needs no more than the time steps so far",
            r"expected no initial_state, because temporal_model=True",
            r"expected inputs that all have the axis of time, or none",
            r"has no native Nengo form",
            r"expected (inference_only=True|no regularizers|shared_axes|one input)",
            r"expected axes of the signal",
        )
    ),
]
