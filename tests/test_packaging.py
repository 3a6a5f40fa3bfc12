"""What is published has the files that it should have, and needs no others."""

import re
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from pathlib import Path, PurePosixPath

import pytest

import nengo_dl

ROOT = Path(__file__).parents[1]
# Outputs, caches, and what belongs to the repository alone.
LEFT_OUT = (".*", "__pycache__", "_build", "build", "dist", "output", "results")
LEFT_OUT += ("*.pyc", "*.egg-info", "venv", "htmlcov")
TOP = {"nengo_dl", "tests", "docs", "demo", "benchmarks"}
TOP |= {"CHANGES.rst", "CITATION.cff", "CONTRIBUTING.rst", "LICENSE", "MANIFEST.in"}
TOP |= {"Makefile", "README.rst", "pyproject.toml", "setup.cfg"}

BUILD = """
from setuptools import build_meta
build_meta.build_wheel("../out")
build_meta.build_sdist("../out")
"""
# Imports all modules from a wheel alone, and runs a network. Without `site` there is no
# trace of an editable installation.
USE = """
import importlib, pkgutil, sys, warnings
wheel, *others = sys.argv[1:]
sys.path[:0] = [wheel]
sys.path += others
import nengo, nengo_dl
warnings.simplefilter("ignore")
for info in pkgutil.walk_packages(nengo_dl.__path__, "nengo_dl."):
    try:
        assert importlib.import_module(info.name).__file__.startswith(wheel)
    except ModuleNotFoundError as error:  # modules of classes that derive from torch's
        assert error.name == "torch" and info.name.startswith("nengo_dl.torch."), error
with nengo.Network() as net:
    nengo_dl.configure_settings(jit_compile=False)
    nengo.Probe(nengo.Ensemble(5, 1))
with nengo_dl.Simulator(net, progress_bar=False) as sim:
    sim.run_steps(2)
print(nengo_dl.__version__)
"""


def python(cwd, *args):
    done = subprocess.run(
        [sys.executable, *args], cwd=cwd, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def sources(folder):
    """List the files of a folder that are no outputs."""
    ignore = shutil.ignore_patterns(*LEFT_OUT)
    found = set()
    for path in folder.iterdir():
        if ignore(folder, [path.name]):
            continue
        found |= sources(path) if path.is_dir() else {path.relative_to(ROOT).as_posix()}
    return found


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """Build a wheel and a source distribution, and return their folder."""
    folder = tmp_path_factory.mktemp("packaging")
    shutil.copytree(ROOT, folder / "tree", ignore=shutil.ignore_patterns(*LEFT_OUT))
    (folder / "out").mkdir()
    python(folder / "tree", "-c", BUILD)
    return folder / "out"


def test_wheel_has_the_package_and_nothing_else(built):
    with zipfile.ZipFile(next(built.glob("*.whl"))) as wheel:
        names = {name for name in wheel.namelist() if not name.endswith("/")}
        metadata = {name for name in names if ".dist-info/" in name}
        text = wheel.read(next(n for n in metadata if n.endswith("METADATA"))).decode()
    assert names - metadata == sources(ROOT / "nengo_dl")
    assert {"METADATA", "LICENSE", "entry_points.txt"} <= {
        PurePosixPath(name).name for name in metadata
    }
    assert f"Version: {nengo_dl.__version__}\n" in text


def test_source_distribution_has_what_tests_need(built):
    with tarfile.open(next(built.glob("*.tar.gz"))) as sdist:
        names = {
            member.name.split("/", 1)[1]
            for member in sdist.getmembers()
            if member.isfile()
        }
    made = {name for name in names if name == "PKG-INFO" or ".egg-info/" in name}
    assert names - made == {name for name in sources(ROOT) if name.split("/")[0] in TOP}


def test_installed_package_needs_no_other_file(built, tmp_path):
    with zipfile.ZipFile(next(built.glob("*.whl"))) as wheel:
        wheel.extractall(tmp_path / "wheel")
    others = {sysconfig.get_path(name) for name in ("purelib", "platlib")}
    printed = python(tmp_path, "-I", "-S", "-c", USE, tmp_path / "wheel", *others)
    assert printed.split()[-1] == nengo_dl.__version__


def test_citation_has_the_version():
    text = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert re.search(r"^version: (.*)$", text, flags=re.MULTILINE)[1] == (
        nengo_dl.__version__
    )
