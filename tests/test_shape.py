"""The shape of the code: nothing grows too long to be read in one go."""

import ast
from pathlib import Path

import pytest

import nengo_dl

ROOT = Path(nengo_dl.__file__).parent
SOURCES = {
    path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8")
    for path in sorted(ROOT.rglob("*.py"))
}
MAX_FILE, MAX_CLASS, MAX_FUNCTION = 400, 300, 40
DOCUMENTED = ast.Module | ast.ClassDef | ast.FunctionDef


def nodes(name, kind):
    return (
        node for node in ast.walk(ast.parse(SOURCES[name])) if isinstance(node, kind)
    )


def n_lines_of_code(function, lines):
    """Count lines without those that are blank, comments or docstrings."""
    docs = set()
    for node in ast.walk(function):
        if isinstance(node, DOCUMENTED) and ast.get_docstring(node) is not None:
            docs.update(range(node.body[0].lineno, node.body[0].end_lineno + 1))
    numbers = range(function.lineno, function.end_lineno + 1)
    code = (lines[i - 1].strip() for i in numbers if i not in docs)
    return sum(bool(line) and not line.startswith("#") for line in code)


@pytest.mark.parametrize("name", SOURCES)
def test_files_classes_and_functions_are_short(name):
    lines = SOURCES[name].splitlines()
    assert len(lines) <= MAX_FILE
    for node in nodes(name, ast.ClassDef):
        assert node.end_lineno - node.lineno < MAX_CLASS, node.name
    for node in nodes(name, ast.FunctionDef):
        assert n_lines_of_code(node, lines) <= MAX_FUNCTION, node.name


@pytest.mark.parametrize("name", SOURCES)
def test_docstrings_name_the_thing(name):
    for node in nodes(name, DOCUMENTED):
        assert not (ast.get_docstring(node) or "").startswith("What "), node
