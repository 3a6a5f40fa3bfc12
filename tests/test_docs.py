"""The documentation holds: its examples run, and what it names exists."""

import ast
import configparser
import contextlib
import importlib
import inspect
import io
import re
import subprocess
import sys
import textwrap
import warnings
from pathlib import Path
from unittest import mock

import keras
import matplotlib
import nengo
import numpy as np
import pytest
import tensorflow as tf

import nengo_dl
from nengo_dl import Converter
from nengo_dl.exchange.registry import OPERATORS
from nengo_dl.ops import Builder, neurons, processes

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.rst", *sorted((ROOT / "docs").glob("*.rst"))]
NAMES = [page.relative_to(ROOT).as_posix() for page in PAGES]
MODULES = sorted((ROOT / "nengo_dl").rglob("*.py"))

# What examples in docstrings need not import.
IMPORTED = {"keras": keras, "nengo": nengo, "nengo_dl": nengo_dl, "np": np, "tf": tf}

CODE = ("code-block:: python", "testcode::", "testsetup::", "testcleanup::")
OUTPUT = ("testoutput::",)


def blocks(text):
    """Yield the directive, the first line's number and the text of each block."""
    lines = text.splitlines()
    for i, line in enumerate(lines):
        match = re.fullmatch(r"( *)\.\. (\S+::.*)", line)
        if match is None or not match[2].startswith((*CODE, *OUTPUT)):
            continue
        stop = i + 1
        while stop < len(lines) and re.match(rf"{match[1]}\s|$", lines[stop]):
            stop += 1
        body = textwrap.dedent("\n".join(lines[i + 1 : stop]))
        yield match[2], i + 2, body


def run(text, path, first_line, namespace):
    """Run the examples in a text, one after the other, and check what they print."""
    printed = io.StringIO()
    for directive, line, body in blocks(text):
        line += first_line
        if directive.startswith(OUTPUT):
            assert printed.getvalue().strip() == body.strip(), f"{path}:{line}"
            continue
        printed = io.StringIO()
        code = compile("\n" * (line - 1) + body, path, "exec")
        with contextlib.redirect_stdout(printed), warnings.catch_warnings():
            warnings.filterwarnings("ignore", "TensorFlow cannot use the GPU")
            exec(code, namespace)  # noqa: S102


def skip_without_torch(text):
    """Skip examples that need PyTorch, which is not among what tests need."""
    if "import torch" in text:
        pytest.importorskip("torch")


def docstrings_with_examples():
    """Yield a parameter for each docstring of the package that has an example."""
    kinds = ast.Module | ast.ClassDef | ast.FunctionDef
    for path in MODULES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            text = isinstance(node, kinds) and ast.get_docstring(node, clean=False)
            if text and "testcode::" in text:
                name = getattr(node, "name", "module")
                where = path.relative_to(ROOT / "nengo_dl").with_suffix("").as_posix()
                yield pytest.param(
                    path, node.body[0].lineno, text, id=f"{where}.{name}"
                )


@pytest.fixture
def registries(monkeypatch):
    """Let an example register what it likes."""
    monkeypatch.setattr(Builder, "entries", dict(Builder.entries))
    monkeypatch.setattr(neurons, "steps", dict(neurons.steps))
    monkeypatch.setattr(processes, "steps", dict(processes.steps))
    monkeypatch.setattr(Converter, "converters", dict(Converter.converters))
    builders = nengo.builder.Builder.builders
    monkeypatch.setattr(nengo.builder.Builder, "builders", dict(builders))
    matplotlib.use("Agg")
    with mock.patch.dict(OPERATORS):
        yield


@pytest.mark.parametrize("name", NAMES)
def test_examples_in_pages_run(name, registries):
    keras.utils.set_random_seed(0)
    text = (ROOT / name).read_text(encoding="utf-8")
    skip_without_torch(text)
    run(text, ROOT / name, 0, {"__name__": "example"})


@pytest.mark.parametrize("path, line, text", docstrings_with_examples())
def test_examples_in_docstrings_run(path, line, text, registries):
    skip_without_torch(text)
    keras.utils.set_random_seed(0)
    module = path.relative_to(ROOT).with_suffix("").as_posix().replace("/", ".")
    own = vars(importlib.import_module(module.removesuffix(".__init__")))
    namespace = {**own, **IMPORTED, "__name__": "example"}
    run(inspect.cleandoc(text), path, line - 1, namespace)


def test_examples_are_found():
    text = (ROOT / "docs" / "extending.rst").read_text(encoding="utf-8")
    found = [directive for directive, _, _ in blocks(text)]
    assert found.count("testcode::") == text.count("testcode::") > 5
    assert found.count("testoutput::") == text.count("testoutput::") > 3


@pytest.mark.parametrize("name", NAMES)
def test_files_exist(name):
    text = (ROOT / name).read_text(encoding="utf-8")
    folders = "nengo_dl|tests|docs|benchmarks"
    for path in re.findall(rf"``((?:{folders})/[\w./]+)``", text):
        if path not in ("benchmarks/results", "docs/_build/html"):  # what runs write
            assert (ROOT / path).exists(), path


def change_requests():
    """Yield the files of each row of the table of change requests."""
    text = (ROOT / "docs" / "architecture.rst").read_text(encoding="utf-8")
    section = text[text.index("\nWhere to change what\n") :]
    _, _, body, _ = re.split(r"^=+  =+\n", section, maxsplit=3, flags=re.MULTILINE)
    for row in re.split(r"\n(?=\S)", body):  # others go on with the row before
        label = re.match(r"(?:\S+ )+", f"{row.splitlines()[0]} ")[0].strip()
        yield pytest.param(re.findall(r"``([\w/]+(?:\.py|/))``", row), id=label)


@pytest.mark.parametrize("files", change_requests())
def test_change_requests_take_at_most_three_files(files):
    assert 1 <= len(files) <= 3
    for file in files:
        assert (ROOT / "nengo_dl" / file).exists() or (ROOT / file).exists(), file


def test_every_dependency_has_its_reason():
    config = configparser.ConfigParser(interpolation=None)
    config.read(ROOT / "setup.cfg", encoding="utf-8")
    listed = [config["options"]["install_requires"]]
    listed += config["options.extras_require"].values()
    names = {
        re.match(r"[\w-]+", line)[0]
        for line in "\n".join(listed).splitlines()
        if re.match(r"\w", line)
    }
    text = (ROOT / "docs" / "dependencies.rst").read_text(encoding="utf-8")
    terms = re.findall(r"^``\S.*``$", text, flags=re.MULTILINE)
    explained = [name for term in terms for name in re.findall(r"``([\w-]+)``", term)]
    assert sorted(explained) == sorted(names)


def test_pages_build_without_warnings(tmp_path):
    """Links, names and markup; `make docs` also runs the notebooks."""
    command = [sys.executable, "-m", "sphinx", "-q", "-n", "-W", "--keep-going"]
    command += ["-b", "dummy", "-d", tmp_path / "doctrees", "-D"]
    command += ["nb_execution_mode=off", ROOT / "docs", tmp_path / "out"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
