"""The documentation holds: its examples run, and what it names exists."""

import configparser
import contextlib
import io
import re
import runpy
import textwrap
import warnings
from pathlib import Path

import matplotlib
import nengo
import pytest

from nengo_dl.ops import Builder, neurons, processes

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.rst", *sorted((ROOT / "docs").glob("*.rst"))]
SCRIPTS = sorted((ROOT / "docs" / "examples").glob("*.py"))
NAMES = [page.relative_to(ROOT).as_posix() for page in PAGES]

CODE = ("code-block:: python", "testcode::", "testsetup::")
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


@pytest.fixture
def registries(monkeypatch):
    """Let an example register what it likes."""
    monkeypatch.setattr(Builder, "entries", dict(Builder.entries))
    monkeypatch.setattr(neurons, "steps", dict(neurons.steps))
    monkeypatch.setattr(processes, "steps", dict(processes.steps))
    builders = nengo.builder.Builder.builders
    monkeypatch.setattr(nengo.builder.Builder, "builders", dict(builders))
    matplotlib.use("Agg")


@pytest.mark.parametrize("name", NAMES)
def test_examples_run(name, registries):
    text = (ROOT / name).read_text(encoding="utf-8")
    namespace, printed = {"__name__": "example"}, io.StringIO()
    for directive, line, body in blocks(text):
        if directive.startswith(OUTPUT):
            assert printed.getvalue().strip() == body.strip(), f"{name}:{line}"
            continue
        printed = io.StringIO()
        code = compile("\n" * (line - 1) + body, ROOT / name, "exec")
        with contextlib.redirect_stdout(printed), warnings.catch_warnings():
            warnings.filterwarnings("ignore", "No GPU is visible")
            exec(code, namespace)  # noqa: S102


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.name)
def test_scripts_run(script, capsys):
    runpy.run_path(str(script), run_name="__main__")
    assert capsys.readouterr().out


def test_examples_are_found():
    assert SCRIPTS
    text = (ROOT / "docs" / "extending.rst").read_text(encoding="utf-8")
    found = [directive for directive, _, _ in blocks(text)]
    assert found.count("testcode::") == text.count("testcode::") > 5
    assert found.count("testoutput::") == text.count("testoutput::") > 3


@pytest.mark.parametrize("name", NAMES)
def test_files_exist(name):
    text = (ROOT / name).read_text(encoding="utf-8")
    folders = "nengo_dl|tests|docs|benchmarks"
    for path in re.findall(rf"``((?:{folders})/[\w./]+)``", text):
        if path not in ("benchmarks/results",):  # written when they run
            assert (ROOT / path).exists(), path


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
