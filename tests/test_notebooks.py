"""The example notebooks run, with small data, and are kept in the form they should."""

import runpy
from pathlib import Path

import keras
import nbclient
import nbformat
import numpy as np
import pytest
import tensorflow as tf

DOCS = Path(__file__).parents[1] / "docs"
SMALL_DATA = DOCS / "small_data.py"
STARTUP = Path(__file__).with_name("notebook_startup.py")
PATHS = sorted((DOCS / "examples").glob("*.ipynb"))


@pytest.fixture(params=PATHS, ids=lambda path: path.stem)
def notebook(request):
    """Return the content of a notebook."""
    return nbformat.read(request.param, as_version=4)


def code_cells(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def test_notebooks_are_found():
    assert PATHS


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    """Return a client of a kernel that all notebooks share, as starting takes long."""
    folder = tmp_path_factory.mktemp("notebooks")
    client = nbclient.NotebookClient(
        nbformat.v4.new_notebook(),
        timeout=500,
        resources={"metadata": {"path": folder}},
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONSTARTUP", str(STARTUP))
        with client.setup_kernel():
            yield client


def test_notebooks_run(notebook, client):
    if any("import torch" in cell.source for cell in code_cells(notebook)):
        pytest.importorskip("torch")
    client.nb = notebook
    notebook.cells.insert(0, nbformat.v4.new_code_cell("%reset -f"))
    for index, cell in enumerate(notebook.cells):
        client.execute_cell(cell, index)
    outputs = [output for cell in code_cells(notebook) for output in cell.outputs]
    assert any("image/png" in output.get("data", ()) for output in outputs)


def test_notebooks_are_kept_without_outputs(notebook):
    nbformat.validate(notebook)
    for cell in code_cells(notebook):
        assert cell.outputs == [] and cell.execution_count is None


def test_notebooks_run_in_any_kernel(notebook):
    """What an editor adds of the machine it runs on stays out."""
    assert notebook.metadata.kernelspec.name == "python3"
    assert set(notebook.metadata) <= {"kernelspec", "language_info"}
    assert set(notebook.metadata.language_info) <= {"name", "pygments_lexer"}


def test_notebooks_begin_with_a_title_and_a_promise(notebook):
    title, *text = notebook.cells[0].source.splitlines()
    assert notebook.cells[0].cell_type == "markdown"
    assert title.startswith("# ") and "".join(text).strip()


@pytest.mark.parametrize("name", ["mnist", "fashion_mnist"])
def test_small_data_has_the_form_of_the_real_data(name, monkeypatch):
    module = getattr(keras.datasets, name)
    real = module.load_data
    for each in (keras.datasets.mnist, keras.datasets.fashion_mnist):
        monkeypatch.setattr(each, "load_data", each.load_data)
    monkeypatch.setattr(tf.get_logger(), "setLevel", lambda level: None)
    runpy.run_path(str(SMALL_DATA))
    assert module.load_data is not real
    for x, y in module.load_data():
        assert x.shape == (len(y), 28, 28) and x.dtype == y.dtype == np.uint8
        assert x.min() == 0 and x.max() == 255
        assert set(y) == set(range(10)) and len(y) < 2000
