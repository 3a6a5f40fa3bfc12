"""Which GPU there is that TensorFlow does not use."""

import glob
import os
from collections.abc import Mapping

# Device files of NVIDIA's driver on Linux, and that of Windows' subsystem for Linux
DRIVERS = ("nvidia[0-9]*", "dxg")
HIDING = "CUDA_VISIBLE_DEVICES"


def unused_gpu(
    folder: str = "/dev", environment: Mapping[str, str] = os.environ
) -> str | None:
    """Return the device file of a GPU, if the machine has one that is not hidden.

    Parameters
    ----------
    folder : str
        Where device files are.
    environment : mapping of str to str
        Environment variables. One of CUDA hides GPUs on purpose.
    """
    if HIDING in environment and environment[HIDING].strip() in ("", "-1"):
        return None
    for driver in DRIVERS:
        found = sorted(glob.glob(os.path.join(glob.escape(folder), driver)))
        if found:
            return found[0]
    return None
