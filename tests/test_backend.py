"""What importing the package says where Keras does not run on TensorFlow."""

import json
import os
import subprocess
import sys

import pytest

PRETEND = """
import sys, types
# a Keras that runs on something that is installed
keras = types.ModuleType("keras")
keras.config = types.SimpleNamespace(backend=lambda: "openvino")
sys.modules["keras"] = keras
"""


def import_package(code="", **environment):
    """Import the package in another process; return what it says at the end."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("KERAS_")}
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\nimport nengo_dl\nprint('imported')"],
        env={**kept, **environment, "TF_CPP_MIN_LOG_LEVEL": "3"},
        capture_output=True,
        text=True,
        check=False,
    )
    return (done.stdout or done.stderr).strip().splitlines()[-1]


def home(tmp_path, backend):
    (tmp_path / "keras.json").write_text(json.dumps({"backend": backend}))
    return str(tmp_path)


@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_another_backend(backend):
    message = import_package(KERAS_BACKEND=backend)
    assert message.startswith("ImportError: nengo_dl: expected Keras to run on Tensor")
    assert f"(got {backend}, from KERAS_BACKEND). Set KERAS_BACKEND=tens" in message


def test_another_backend_in_the_settings_of_keras(tmp_path):
    message = import_package(KERAS_HOME=home(tmp_path, "jax"))
    assert f"(got jax, from {tmp_path / 'keras.json'}). Set KERAS_BACKEND" in message
    assert f'or write "backend": "tensorflow" in {tmp_path / "keras.json"}' in message


def test_the_environment_counts_more_than_the_settings(tmp_path):
    environment = {"KERAS_HOME": home(tmp_path, "jax"), "KERAS_BACKEND": "tensorflow"}
    assert import_package(**environment) == "imported"


def test_another_backend_that_is_installed():
    message = import_package(PRETEND, KERAS_BACKEND="openvino")
    assert "(got openvino, from KERAS_BACKEND). Set KERAS_BACKEND=tens" in message
