"""That torch is installed: checked before anything else of this folder is imported."""


def check_torch() -> None:
    """Check that torch can be imported.

    Raises
    ------
    ImportError
        If it is not installed.
    """
    try:
        import torch  # noqa: F401
    except ImportError as exc:
        if exc.name != "torch":
            raise
        raise ImportError(
            "nengo_dl.torch: expected the package torch (got an environment without "
            'it). Install it with: pip install "nengo_dl[torch]".'
        ) from exc


check_torch()
