"""How results are shown and kept: as a table, and in a file with what made them."""

import json
import os
import platform
from datetime import datetime, timezone
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

RESULTS = Path(__file__).parent / "results"
PACKAGES = ("nengo_dl", "nengo", "numpy", "scipy", "tensorflow", "keras")
THREAD_SETTINGS = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "TF_NUM_INTRAOP_THREADS",
    "TF_NUM_INTEROP_THREADS",
    "XLA_FLAGS",
    "CUDA_VISIBLE_DEVICES",
)


def environment():
    """Return machine, versions and settings that the results depend on."""
    return {
        "date": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "processor": _processor(),
        "cores": os.cpu_count(),
        "memory_gib": round(_memory_bytes() / 2**30, 1),
        "load": [round(load, 2) for load in os.getloadavg()],
        "system": platform.platform(),
        "python": platform.python_version(),
        "versions": {name: _version(name) for name in PACKAGES},
        "settings": {n: os.environ[n] for n in THREAD_SETTINGS if n in os.environ},
    }


def table(rows):
    """Lay out rows, dicts with the same keys, as lines under a header."""
    header = list(rows[0])
    cells = [header] + [[_cell(row[key]) for key in header] for row in rows]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = []
    for line in cells:
        first, *others = zip(line, widths, strict=True)
        lines.append(
            "  ".join([first[0].ljust(first[1])] + [c.rjust(w) for c, w in others])
        )
    lines.insert(1, "  ".join("-" * width for width in widths))
    return "\n".join(lines)


def summary(about):
    """Return machine and versions of an `environment` in two lines."""
    versions = ", ".join(f"{name} {v}" for name, v in about["versions"].items())
    machine = "{processor}, {cores} cores, {memory_gib} GiB".format(**about)
    return f"{machine}\nPython {about['python']}, {versions}"


def show(question, rows, about=None):
    """Print a question, a table that answers it, and on what it was measured."""
    about = environment() if about is None else about
    print(f"\n{question}\n\n{table(rows)}\n\n{summary(about)}")


def save(name, rows, path=None, **options):
    """Write rows, the options that led to them and the environment to a JSON file."""
    path = RESULTS / f"{name}.json" if path is None else Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    content = {"environment": environment(), "options": options, "results": rows}
    path.write_text(json.dumps(content, indent=1) + "\n")
    print(f"Written to {path}")


def load(path):
    """Read the rows and the environment that `save` has written."""
    content = json.loads(Path(path).read_text())
    return content["results"], content["environment"]


def _cell(value):
    """Write a number with three digits that count, and anything else as it is."""
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"
    return str(value)


def _version(package):
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def _processor():
    """Return the processor's name, which `platform` does not know on Linux."""
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _memory_bytes():
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
