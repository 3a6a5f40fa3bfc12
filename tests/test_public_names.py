"""Every public name is documented: arguments, results, errors, shapes and units.

Public is what ``docs/reference`` lists, and all that is in the ``__all__`` of the
package and of the modules that it introduces.
"""

import ast
import dataclasses
import functools
import importlib
import importlib.util
import inspect
import pkgutil
import re
import textwrap
import warnings
from pathlib import Path
from types import ModuleType

import pytest
from numpydoc.docscrape import NumpyDocString
from numpydoc.validate import validate

from nengo_dl.settings import Settings, SettingTypes

ROOT = Path(__file__).parents[1]
REFERENCE = sorted((ROOT / "docs" / "reference").glob("*.rst"))
TEXT = "\n".join(page.read_text(encoding="utf-8") for page in REFERENCE)

# What numpydoc must not find: no docstring, arguments that are not documented, or not
# there, or in another order, or without a type, and results that are not documented.
FORBIDDEN = {"GL08", "PR01", "PR02", "PR03", "PR04", "RT01", "YD01"}

# Arguments in these units, wherever they occur.
BECOMES = {"InvalidValue": "ValidationError"}
UNITS = {
    "dt": "seconds",
    "sample_every": "seconds",
    "tau": "seconds",
    "tau_rc": "seconds",
    "tau_ref": "seconds",
    "time_in_seconds": "seconds",
    "target_rate": "Hz",
}

# Those that say in words what numpydoc wants as a list of arguments: of Keras' classes,
# or of what they hand on.
IN_WORDS = ("nengo_dl.callbacks.TensorBoard",)


def load(name):
    """Import what a dotted name stands for."""
    return pkgutil.resolve_name(name)


@functools.cache
def is_here(name):
    """Tell whether a name can be had, which a few cannot without PyTorch."""
    try:
        load(name)
    except ImportError as error:
        assert "pip install nengo_dl[torch]" in str(error)
        assert importlib.util.find_spec("torch") is None
        return False
    return True


def members(name, options):
    """Yield the names of those methods of a class that the reference has."""
    cls = load(name)
    given = re.search(r":members:(.*)", options)
    if given is None:
        return
    excluded = re.search(r":exclude-members:(.*)", options)
    excluded = re.findall(r"\w+", excluded[1]) if excluded else ()
    for member in re.findall(r"\w+", given[1]) or dir(cls):
        own = any(
            member in vars(base) and base.__module__.startswith("nengo_dl")
            for base in cls.__mro__
        )
        value = inspect.getattr_static(cls, member)
        is_code = callable(value) or isinstance(
            value, property | classmethod | staticmethod | functools.cached_property
        )
        is_public = given[1].strip() or not member.startswith("_")
        if own and is_code and is_public and member not in excluded:
            yield f"{name}.{member}"


def documented():
    """List all names in the reference, those of methods included."""
    names = []
    pattern = r"^\.\. auto(class|function|data):: (nengo_dl[\w.]+)\n((?:   :.*\n)*)"
    for kind, name, options in re.findall(pattern, TEXT, flags=re.MULTILINE):
        if not is_here(name):
            continue
        names.append(name)
        if kind == "class":
            names += members(name, options)
    return names


def modules():
    """Yield the modules that the reference says something about, and the package."""
    names = re.findall(r"^\.\. (?:auto)?module:: (\S+)", TEXT, flags=re.MULTILINE)
    return map(importlib.import_module, ["nengo_dl", *names])


NAMES = documented()
CALLABLE = [name for name in NAMES if callable(load(name))]
EXPORTED = [
    pytest.param(value, id=f"{module.__name__}.{name}")
    for module in modules()
    for name in module.__all__
    if is_here(f"{module.__name__}.{name}")
    and not isinstance(value := getattr(module, name), ModuleType | str)
]


def signature(name):
    """Return the parameters of a function, or those with which a class is made."""
    obj = load(name)
    has_init = isinstance(obj, type) and obj.__init__ is not object.__init__
    function = obj.__init__ if has_init else obj
    parameters = inspect.signature(function).parameters.values()
    if dataclasses.is_dataclass(obj):  # the docstring of a public base has the others
        private = [base for base in obj.__mro__ if base.__name__.startswith("_")]
        own = {x for c in (obj, *private) for x in vars(c).get("__annotations__", ())}
        return [p for p in parameters if p.name in own]
    return [p for p in parameters if p.name not in ("self", "cls")]


def doc(name):
    """Return the parsed docstring of a name."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of sections that numpydoc does not know
        return NumpyDocString(textwrap.dedent(inspect.getdoc(load(name))))


def test_reference_is_found():
    assert len(NAMES) > 100 and len(set(NAMES)) == len(NAMES)


@pytest.mark.parametrize("obj", EXPORTED)
def test_what_is_exported_is_in_the_reference(obj):
    assert any(load(name) is obj for name in NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_docstrings_are_complete(name):
    errors = {code: text for code, text in validate(name)["errors"]}
    found = {code: errors[code] for code in FORBIDDEN & set(errors)}
    if name in IN_WORDS:
        assert not found.keys() - {"PR01"}
    elif isinstance(load(name), type):
        listed = {parameter.name for parameter in doc(name)["Parameters"]}
        split = {part for each in listed for part in each.replace("\\", "").split(", ")}
        expected = {str(p).split(":")[0].split("=")[0] for p in signature(name)}
        assert split == expected and not found.keys() - {"PR01", "PR02", "RT01"}
    else:
        assert not found


@pytest.mark.parametrize("name", NAMES)
def test_errors_are_documented(name):
    """What a function raises itself stands in its section Raises, or in its class's."""
    obj = load(name)
    if isinstance(obj, type):
        obj = vars(obj).get("__init__")
    is_code = inspect.isfunction(obj) or inspect.ismethod(obj)
    if not is_code or dataclasses.is_dataclass(load(name)):
        return
    tree = ast.parse(textwrap.dedent(inspect.getsource(obj)))
    raised = {
        node.exc.func.id
        for node in ast.walk(tree)
        if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call)
    }
    # what is wrong with a value becomes an error about an argument at the boundary
    told = {BECOMES.get(error, error) for error in raised}
    assert told <= {error.type for error in doc(name)["Raises"]}


@pytest.mark.parametrize("name", CALLABLE)
def test_shapes_and_units_are_given(name):
    parsed = doc(name)
    for entry in [*parsed["Parameters"], *parsed["Returns"], *parsed["Attributes"]]:
        text = " ".join([entry.type, *entry.desc])
        if re.search(r"\b(ndarray|array_like|tensor)\b", entry.type):
            assert re.search(r"[Ss]hape|matrix|axis|one for each", text), entry
        if unit := UNITS.get(entry.name):
            assert unit in text, entry


@pytest.mark.parametrize("name", CALLABLE)
def test_arguments_are_annotated(name):
    """So that editors know them; ``**kwargs`` are what they are handed on to."""
    for parameter in () if name in IN_WORDS else signature(name):
        if parameter.kind not in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL):
            assert parameter.annotation is not parameter.empty, parameter


def test_settings_have_types():
    fields = {field.name for field in dataclasses.fields(Settings)}
    types = set(SettingTypes.__annotations__)
    assert types == fields | {"trainable", "keep_history", "hardware"}
