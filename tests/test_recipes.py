"""The recipes run, on a part of their data, and are short."""

import functools
import runpy
from pathlib import Path

import keras
import pytest

import nengo_dl

FOLDER = Path(__file__).parents[1] / "docs" / "recipes"
RECIPES = sorted(FOLDER.glob("*.py"))
MAX_LINES = 25


@pytest.fixture
def short(monkeypatch, tmp_path):
    """Train for an epoch, simulate for a few steps, and do without XLA."""
    fit, run = keras.Model.fit, nengo_dl.Simulator.run
    compiled = keras.Model.compile

    @functools.wraps(fit)  # its arguments are looked at
    def briefly(self, *args, **kwargs):
        return fit(self, *args, **{**kwargs, "epochs": 1})

    @functools.wraps(compiled)
    def plainly(self, *args, **kwargs):
        return compiled(self, *args, **{**kwargs, "jit_compile": False})

    monkeypatch.setattr(keras.Model, "fit", briefly)
    monkeypatch.setattr(keras.Model, "compile", plainly)
    monkeypatch.setattr(
        nengo_dl.Simulator, "run", lambda self, seconds: run(self, seconds / 50)
    )
    monkeypatch.chdir(tmp_path)


def test_there_are_eight():
    assert len(RECIPES) == 8
    page = (FOLDER.parent / "recipes.rst").read_text(encoding="utf-8")
    for recipe in RECIPES:
        assert f"literalinclude:: recipes/{recipe.name}" in page


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda path: path.stem)
def test_recipes_are_short(recipe):
    lines = recipe.read_text(encoding="utf-8").splitlines()
    assert sum(bool(line) for line in lines) <= MAX_LINES


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("recipe", RECIPES, ids=lambda path: path.stem)
def test_recipes_run(recipe, short, capsys):
    keras.utils.set_random_seed(0)
    runpy.run_path(str(recipe), run_name="__main__")
    assert capsys.readouterr().out
