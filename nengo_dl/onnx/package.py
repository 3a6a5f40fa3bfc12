"""The package ``onnx``, which is imported when it is used."""

from typing import Any


def onnx_package() -> Any:
    """Import the package ``onnx``.

    Raises
    ------
    ImportError
        If it is not installed.
    """
    try:
        import onnx
    except ImportError as error:
        raise ImportError(
            "nengo_dl.onnx: expected the package onnx, which reads the format (got "
            "none). Install it with `pip install nengo_dl[onnx]`."
        ) from error
    return onnx
