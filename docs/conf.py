"""Configuration of Sphinx.

Notebooks run while the pages are built; their outputs are kept until a cell of them
changes. They get small data (``small_data.py``) unless Sphinx is told ``-t real_data``.
"""

import importlib.util
import inspect
import os
from pathlib import Path

from docutils import nodes
from nengo.base import NengoObject
from sphinx.util.inspect import stringify_signature

import nengo_dl

HERE = Path(__file__).parent
SMALL_DATA = (
    "The numbers and pictures on this page come from some hundred images in place of "
    "the data set that the text names. The notebook itself loads the real one."
)

project = "nengo_dl"
author = "nengo_dl contributors"
copyright = nengo_dl.__copyright__.removeprefix("Copyright (c) ")
release = nengo_dl.__version__
version = ".".join(release.split(".")[:2])

extensions = [
    "myst_nb",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.doctest",
    "sphinx.ext.mathjax",
    "sphinx_design",
]
exclude_patterns = ["_build"]

# Backticks in docstrings name arguments, or objects to link to.
default_role = "py:obj"
nitpick_ignore_regex = [
    ("py:.*", r"[a-z_]+"),
    ("py:.*", r"(json|keras|matplotlib|nengo|np|scipy|tf|torch)\..*"),
]
autodoc_typehints = "none"  # types stand in the docstrings, in words
# without PyTorch, classes that derive from its own are described, and notebooks about
# it have no outputs
has_torch = importlib.util.find_spec("torch") is not None
autodoc_mock_imports = [] if has_torch else ["torch"]
autodoc_member_order = "bysource"
numpydoc_show_class_members = False
toc_object_entries_show_parents = "hide"

myst_enable_extensions = ["amsmath", "colon_fence", "dollarmath"]
nb_execution_mode = "cache"
nb_execution_excludepatterns = [] if has_torch else ["*pytorch*"]
nb_execution_raise_on_error = True
nb_execution_timeout = 1800  # seconds, for a cell
nb_merge_streams = True
nb_output_stderr = "remove"  # TensorFlow logs there what it finds on the machine

is_real = tags.has("real_data")  # noqa: F821 (a name that Sphinx gives)
data = "real" if is_real else "small"
nb_execution_cache_path = str(HERE / "_build" / "notebooks" / data)
if not is_real:
    os.environ["PYTHONSTARTUP"] = str(HERE / "small_data.py")

html_theme = "furo"
html_title = f"nengo_dl {version}"
html_show_sphinx = False


def find_class(app, env, node, contnode):
    """Find classes that docstrings name without their module."""
    if not node["reftarget"][0].isupper():
        return None
    node["refspecific"] = True
    domain = env.get_domain("py")
    return domain.resolve_xref(
        env,
        node["refdoc"],
        app.builder,
        node["reftype"],
        node["reftarget"],
        node,
        contnode,
    )


def true_signature(app, what, name, obj, options, signature, returned):
    """Show the arguments of Nengo objects, whose metaclass takes ``*args``."""
    if not isinstance(obj, type) or not issubclass(obj, NengoObject):
        return None
    _, *arguments = inspect.signature(obj.__init__).parameters.values()
    shown = inspect.Signature(arguments)
    return stringify_signature(shown, show_annotation=False), returned


def say_that_data_is_small(app, doctree):
    """Put a note at the top of notebooks whose data sets have been replaced."""
    if is_real or "keras.datasets" not in doctree.astext():
        return
    if app.env.docname.startswith("examples/"):
        note = nodes.note()
        note += nodes.paragraph(text=SMALL_DATA)
        doctree[0].insert(1, note)  # after the title


def setup(app):
    """Connect to Sphinx."""
    app.connect("autodoc-process-signature", true_signature)
    app.connect("missing-reference", find_class)
    app.connect("doctree-read", say_that_data_is_small)
