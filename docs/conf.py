"""Configuration of Sphinx.

Notebooks run while the pages are built; their outputs are kept until a cell of them
changes. They get small data (``small_data.py``) unless Sphinx is told ``-t real_data``.
"""

import inspect
import os
from pathlib import Path

from docutils import nodes
from docutils.utils.math.latex2mathml import tex2mathml
from nengo.base import NengoObject
from sphinx.util.inspect import stringify_signature

import nengo_dl

HERE = Path(__file__).parent

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
]
exclude_patterns = ["_build"]

# Backticks in docstrings name arguments, or objects to link to.
default_role = "py:obj"
nitpick_ignore_regex = [
    ("py:.*", r"[a-z_]+"),
    ("py:.*", r"(json|keras|matplotlib|nengo|np|scipy|tf)\..*"),
]
autodoc_typehints = "none"  # types stand in the docstrings, in words
autodoc_member_order = "bysource"
numpydoc_show_class_members = False
toc_object_entries_show_parents = "hide"

myst_enable_extensions = ["amsmath", "colon_fence", "dollarmath"]
nb_execution_mode = "cache"
nb_execution_raise_on_error = True
nb_execution_timeout = 1800  # seconds, for a cell
nb_merge_streams = True

is_real = tags.has("real_data")  # noqa: F821 (a name that Sphinx gives)
data = "real" if is_real else "small"
nb_execution_cache_path = str(HERE / "_build" / "notebooks" / data)
if not is_real:
    os.environ["PYTHONSTARTUP"] = str(HERE / "small_data.py")

html_theme = "furo"
html_title = f"nengo_dl {version}"
html_show_sphinx = False
html_math_renderer = "mathml"


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


def write_formula(translator, node):
    """Write a formula as MathML, which browsers show without the help of a script."""
    is_block = isinstance(node, nodes.math_block)
    formula = tex2mathml(node.astext(), as_block=is_block)
    translator.body.append(f"<p>{formula}</p>" if is_block else formula)
    raise nodes.SkipNode


def setup(app):
    """Connect to Sphinx."""
    app.add_html_math_renderer("mathml", (write_formula, None), (write_formula, None))
    app.connect("autodoc-process-signature", true_signature)
    app.connect("missing-reference", find_class)
