"""The device of a simulation, and GPUs that TensorFlow does not use."""

import glob
import os
import warnings
from collections.abc import Mapping

import tensorflow as tf
from nengo.exceptions import ValidationError

from nengo_dl.simulator.stacklevel import user_level

# Device files of NVIDIA's driver on Linux, and that of Windows' subsystem for Linux
DRIVERS = ("nvidia[0-9]*", "dxg")
# Of CUDA; hides GPUs on purpose
HIDING = "CUDA_VISIBLE_DEVICES"


def check_device(device: str | None) -> str | None:
    """Return the name of a device that TensorFlow has, or None to leave it the choice.

    Warns if there is a GPU that TensorFlow cannot use.
    """
    if device is None:
        gpu = None if tf.config.list_physical_devices("GPU") else unused_gpu()
        if gpu is not None:
            warnings.warn(
                f"TensorFlow cannot use the GPU of this machine ({gpu}); the "
                "simulation runs on the CPU. Install what TensorFlow needs for it (pip "
                "install 'tensorflow[and-cuda]'), or pass device=\"/cpu:0\" to say "
                "that the CPU is meant.",
                stacklevel=user_level(),
            )
        return None
    if not _has_device(device):
        names = ", ".join(
            f"/{other.name.split(':', 1)[1].lower()}"
            for other in tf.config.list_logical_devices()
        )
        raise ValidationError(
            f"must be the name of a TensorFlow device (got {device!r}). Choose one of "
            f"those that are visible ({names}), or leave it to TensorFlow with None.",
            attr="device",
        )
    return device


def _has_device(device: str) -> bool:
    try:
        spec = tf.DeviceSpec.from_string(device)
    except (ValueError, TypeError, AttributeError):
        return False
    return any(
        spec.device_index in (None, int(other.name.rsplit(":", 1)[1]))
        for other in tf.config.list_logical_devices(spec.device_type)
    )


def unused_gpu(
    folder: str = "/dev", environment: Mapping[str, str] = os.environ
) -> str | None:
    """Return the device file of a GPU, if the machine has one that is not hidden."""
    if HIDING in environment and environment[HIDING].strip() in ("", "-1"):
        return None
    for driver in DRIVERS:
        found = sorted(glob.glob(os.path.join(glob.escape(folder), driver)))
        if found:
            return found[0]
    return None
