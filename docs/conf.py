"""Configuration of Sphinx."""

import nengo_dl

project = "nengo_dl"
author = "nengo_dl contributors"
copyright = nengo_dl.__copyright__
release = nengo_dl.__version__
version = ".".join(release.split(".")[:2])

extensions = ["sphinx.ext.autodoc", "sphinx.ext.doctest", "numpydoc"]
exclude_patterns = ["_build"]
html_theme = "alabaster"
default_role = "any"
