import numpy as np
import pytest
from nengo.exceptions import ValidationError

from nengo_dl.simulator.times import steps_from_time


@pytest.mark.parametrize(
    "seconds, n_steps", [(0.0106, 11), (1, 1000), (0.0006, 1), (np.float32(0.01), 10)]
)
def test_steps_from_time(seconds, n_steps):
    steps = steps_from_time(seconds, 0.001)
    assert steps == n_steps and type(steps) is int


@pytest.mark.parametrize("seconds", [-0.0001, np.nan, np.inf, None, "long", [1, 2]])
def test_wrong_time(seconds):
    message = r"time_in_seconds: must be a finite number of seconds, 0 or more \(got "
    with pytest.raises(ValidationError, match=message):
        steps_from_time(seconds, 0.001)


@pytest.mark.parametrize("seconds", [0, 0.0004])
def test_no_time(seconds):
    with pytest.warns(UserWarning, match="is 0 time steps of dt=0.001: nothing is run"):
        assert steps_from_time(seconds, 0.001) == 0
