"""The usual introduction to Keras in Nengo runs as it stands, see keras_in_nengo.py."""

import os
import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).with_name("keras_in_nengo.py")


def test_the_introduction_runs_as_it_stands():
    paths = (str(SCRIPT.parents[1]), os.environ.get("PYTHONPATH", ""))
    result = subprocess.run(
        [sys.executable, str(SCRIPT)],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, paths))},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert result.returncode == 0, result.stdout
    assert result.stdout.endswith("seed flow holds\n"), result.stdout
