import pytest
from nengo.exceptions import ValidationError
from nengo.utils.progress import ProgressBar

from nengo_dl import progress as progress_module
from nengo_dl.progress import progress


@pytest.fixture
def no_delay(monkeypatch):
    monkeypatch.setattr(progress_module, "DELAY", 0)


@pytest.mark.parametrize("enabled", [False, None])
def test_hidden(enabled, capsys, no_delay):
    with progress(enabled, "Simulating", 10) as display:
        display.update(10)
    captured = capsys.readouterr()
    assert captured.out == captured.err == ""


def test_short_tasks_show_nothing(capsys):
    with progress(True, "Simulating", 10) as display:
        display.update(10)
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("total, shown", [(2000, "2.00k/2.00k"), (None, "2.00k step")])
def test_finished_bar_stays(total, shown, capsys, no_delay):
    with progress(True, "Simulating", total, unit="step") as display:
        for _ in range(4):
            display.update(500)
    captured = capsys.readouterr()
    last_line = captured.err.rstrip("\n").split("\r")[-1]
    assert captured.out == ""
    assert last_line.startswith("Simulating:")
    assert shown in last_line and "step/s" in last_line
    assert captured.err.endswith("\n")


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
def test_interrupted_bar_is_erased(error, capsys, no_delay):
    with pytest.raises(error):
        with progress(True, "Simulating", 10) as display:
            display.update(5)
            raise error
    pieces = capsys.readouterr().err.split("\r")
    assert "Simulating" in "".join(pieces)
    assert pieces[-1] == "" and pieces[-2].strip() == ""


class RecordingBar(ProgressBar):
    def __init__(self):
        self.n_steps = self.max_steps = None
        self.closed = False

    def update(self, progress):
        assert not self.closed
        self.n_steps, self.max_steps = progress.n_steps, progress.max_steps

    def close(self):
        self.closed = True


@pytest.mark.parametrize("total, max_steps", [(10, 10), (None, None)])
def test_nengo_bar(total, max_steps):
    bar = RecordingBar()
    with progress(bar, "Simulating", total) as display:
        display.update(3)
        display.update(7)
    assert (bar.n_steps, bar.max_steps, bar.closed) == (10, max_steps, True)


def test_nengo_bar_is_closed_after_an_interrupt():
    bar = RecordingBar()
    with pytest.raises(KeyboardInterrupt):
        with progress(bar, "Simulating", 10):
            raise KeyboardInterrupt
    assert bar.closed


def test_wrong_type():
    message = r"progress_bar: must be True, False, None .*got 'yes'.*progress_bar=False"
    with pytest.raises(ValidationError, match=message):
        with progress("yes", "Simulating", 10):
            pass
