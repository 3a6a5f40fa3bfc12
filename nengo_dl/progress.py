"""Progress displays for builds and runs.

One function, `progress`, stands in front of the library that draws (tqdm's text bar,
which needs nothing further in a terminal or a notebook) and of Nengo's own progress
bars. Whatever ends the ``with`` block, the display is closed first.
"""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol

from nengo.exceptions import ValidationError
from nengo.utils.progress import Progress, ProgressBar, ProgressTracker
from tqdm import tqdm

# Seconds before a bar appears: short runs leave the terminal as it is.
DELAY = 0.5


class Display(Protocol):
    """A display that is told how much more has been done."""

    def update(self, n: int = 1) -> None:
        """Advance by `n` units."""


class _Hidden:
    """Show nothing."""

    def __enter__(self) -> "_Hidden":
        return self

    def __exit__(self, *error: object) -> None:
        pass

    def update(self, n: int = 1) -> None:
        del n


class _NengoDisplay:
    """Advance one of Nengo's progress bars."""

    def __init__(self, total_progress: Progress):
        self._total_progress = total_progress

    def update(self, n: int = 1) -> None:
        self._total_progress.step(n)


def progress(
    enabled: bool | ProgressBar | None,
    description: str,
    total: int | None = None,
    unit: str = "step",
) -> AbstractContextManager[Display]:
    """Show how far a task has come.

    Parameters
    ----------
    enabled : bool or None or `nengo.utils.progress.ProgressBar`
        True for a bar on standard error, which appears once the task has taken half a
        second; False or None for no display. An instance of Nengo's ``ProgressBar`` is
        drawn as in `nengo.Simulator`.
    description : str
        What is being done, e.g. "Simulating".
    total : int, optional
        Number of units in all, if known.
    unit : str, optional
        Name of one unit.

    Returns
    -------
    context : context manager
        Its value is a `Display`: call ``display.update(n)`` after each `n` units.

    Raises
    ------
    ValidationError
        If `enabled` is something else.

    Notes
    -----
    A finished bar stays on its line. One that an exception ends (also Ctrl-C) is
    erased, so that the traceback starts on a clean line.

    Examples
    --------
    .. testcode::

       with progress(True, "Simulating", total=1000) as display:
           for _ in range(10):
               display.update(100)
    """
    if isinstance(enabled, ProgressBar):
        return _nengo_display(enabled, description, total)
    if enabled is None or enabled is False:
        return _Hidden()
    if enabled is True:
        return _tqdm_display(description, total, unit)
    raise ValidationError(
        f"must be True, False, None or a nengo ProgressBar (got {enabled!r}). Pass "
        "progress_bar=False to show nothing.",
        attr="progress_bar",
    )


@contextmanager
def _nengo_display(
    bar: ProgressBar, description: str, total: int | None
) -> Iterator[Display]:
    tracked = Progress(description, description, total or None)
    with ProgressTracker(bar, tracked):
        yield _NengoDisplay(tracked)


@contextmanager
def _tqdm_display(description: str, total: int | None, unit: str) -> Iterator[Display]:
    """Draw with tqdm; erase the bar if the task does not end well."""
    bar = tqdm(
        desc=description,
        total=total,
        unit=f" {unit}",
        unit_scale=True,
        delay=DELAY,
        leave=False,
    )
    try:
        yield bar
        bar.leave = True
    finally:
        bar.close()
