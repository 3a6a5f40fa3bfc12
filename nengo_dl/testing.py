"""A pytest plugin with which other packages' Nengo tests run on our Simulator.

``-p nengo_dl.testing`` adds command line options for the settings to test with, and
``nengo_simloader = nengo_dl.testing.make_test_sim`` in pytest's configuration lets
Nengo's own plugin hand our Simulator, with these settings, to every test that asks for
a fixture called ``Simulator``.
"""

from collections.abc import Callable
from typing import Any

import nengo_dl
from nengo_dl.config import configure_settings, get_setting

__all__ = [
    "make_test_sim",
]


def pytest_addoption(parser):
    """Add the options that `make_test_sim` reads."""
    group = parser.getgroup("nengo_dl", "settings of nengo_dl.Simulator in tests")
    group.addoption(
        "--dtype",
        default="float64",
        choices=("float32", "float64"),
        help="precision of networks that choose none",
    )
    group.addoption(
        "--unroll-simulation",
        default=1,
        type=int,
        help="time steps in one iteration of the loop",
    )
    group.addoption("--device", default=None, help="device, for instance /gpu:0")
    group.addoption(
        "--inference-only",
        action="store_true",
        default=False,
        help="leave out what only training needs",
    )


def make_test_sim(request: Any) -> Callable[..., nengo_dl.Simulator]:
    """Return a function that makes a Simulator with the options of the test run.

    Parameters
    ----------
    request : object with the attribute ``config``
        pytest's request; its ``config`` holds the command line options.

    Returns
    -------
    test_sim : callable
        Takes the arguments of `.Simulator`. Arguments and settings that a test chooses
        itself stand.

    Notes
    -----
    Nengo's tests compare with the tolerances of its own float64 simulator, and so
    float64 is the default here.
    """
    option = request.config.getoption
    settings = {
        "dtype": option("--dtype"),
        "inference_only": option("--inference-only"),
    }
    arguments = {
        "unroll_simulation": option("--unroll-simulation"),
        "device": option("--device"),
        "progress_bar": False,
    }

    def test_sim(network, *args, **kwargs):
        if network is not None:
            with network:
                for name, value in settings.items():
                    if get_setting(network, name) is None:
                        configure_settings(**{name: value})
        return nengo_dl.Simulator(network, *args, **{**arguments, **kwargs})

    return test_sim
