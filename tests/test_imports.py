"""The dependency rule: imports point one way, and each exception lives in one file."""

import ast
from pathlib import Path

import pytest

import nengo_dl

ROOT = Path(nengo_dl.__file__).parent
FILES = sorted(ROOT.rglob("*.py"))
TREES = {
    path.relative_to(ROOT).as_posix(): ast.parse(path.read_text(encoding="utf-8"))
    for path in FILES
}

# Modules and packages from the bottom to the top; each may import those below it.
LAYERS = (
    ("backend", "version", "names", "silence", "errors", "durations"),
    ("foreign", "keys", "surrogates", "labels", "over_time", "numbers_param", "chips"),
    ("settings", "arguments", "exchange"),
    (
        "biases",
        "config",
        "descriptions",
        "progress",
        "neurons",
        "stepped",
        "loihi",
        "wiring",
        "dists",
        "coding",
    ),
    ("losses", "metrics"),
    ("plots",),
    ("graph",),
    ("ops",),
    ("nodes", "engine"),
    ("keras_model",),
    ("simulator", "layers"),
    ("nir",),
    ("hardware",),
    ("callbacks", "converter", "resuming", "tensor_node"),
    ("wrapped",),
    ("onnx", "torch"),
    ("__init__",),
    ("testing",),
)
RANKS = {name: rank for rank, layer in enumerate(LAYERS) for name in layer}
# In a folder: modules that import no other one of the same folder but these.
INSIDE = {
    "graph": {
        "kernel.py": set(),
        "on_chip.py": {"kernel"},
        "parameters.py": {"on_chip"},
        "streams.py": set(),
        "kept.py": set(),
        "decoders.py": set(),
        "nengo_model.py": {"decoders"},
        "program.py": {"kept", "on_chip", "parameters", "streams"},
        "rewrite.py": {"program"},
        "outer_products.py": {"program"},
        "fed.py": {"on_chip", "program"},
        "simplify.py": {"fed", "on_chip", "outer_products", "program"},
        "plan.py": {"program"},
        "tiles.py": set(),
        "tiling.py": {"on_chip", "program", "tiles"},
        "layout.py": {"boxes", "kernel", "program"},
    },
}

PYTHON_CALLS = ("numpy_function", "py_function", "eager_py_function", "py_func")
PRIVATE_PACKAGES = ("tensorflow.python", "tensorflow.core", "keras.src")


def component(name):
    """Return which layer's entry a file or a dotted module belongs to."""
    return name.split("/")[0].removesuffix(".py")


def imports(tree):
    """List every imported name, in full: ``from a import b`` gives ``a.b``."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def own_imports(name):
    """List the modules of this package that a file imports, without the package."""
    for target in imports(TREES[name]):
        if target == "nengo_dl" or target.startswith("nengo_dl."):
            yield target.removeprefix("nengo_dl").lstrip(".")


def attributes(tree):
    return (node for node in ast.walk(tree) if isinstance(node, ast.Attribute))


def is_private(name):
    return name.startswith("_") and not name.endswith("__")


@pytest.mark.parametrize("name", TREES)
def test_imports_point_down(name):
    own = component(name)
    assert own in RANKS, f"add {own} to LAYERS"
    for target in own_imports(name):
        other = target.split(".")[0] or "__init__"
        if other != own:
            assert RANKS[other] < RANKS[own], f"{name} imports {target}"


@pytest.mark.parametrize(
    "folder, name, allowed",
    [
        (folder, name, INSIDE[folder][name])
        for folder in INSIDE
        for name in INSIDE[folder]
    ],
)
def test_imports_inside_a_folder(folder, name, allowed):
    found = {
        target.split(".")[1]
        for target in own_imports(f"{folder}/{name}")
        if target.startswith(f"{folder}.")
    }
    assert found <= allowed


@pytest.mark.parametrize(
    "name",
    [
        *(n for n in TREES if n.startswith(("graph/", "chips/"))),
        *("config.py", "settings.py", "surrogates.py"),
    ],
)
def test_planning_needs_no_tensorflow(name):
    roots = {target.split(".")[0] for target in imports(TREES[name])}
    assert not roots & {"tensorflow", "keras"}


# Steps of the simulation, data on its way to Keras, and modules of torch
CALLS_PYTHON = {"ops/host.py", "keras_model/minibatches.py", "torch/calling.py"}


@pytest.mark.parametrize("name", [n for n in TREES if n not in CALLS_PYTHON])
def test_few_files_call_python_from_tensorflow(name):
    used = {node.attr for node in attributes(TREES[name])}
    assert not used & set(PYTHON_CALLS)


@pytest.mark.parametrize("name", [n for n in TREES if n != "converter/keras_graph.py"])
def test_no_private_modules_of_others(name):
    for target in imports(TREES[name]):
        if not target.startswith("nengo_dl"):
            assert not any(map(is_private, target.split("."))), target
        assert not target.startswith(PRIVATE_PACKAGES), target


# The graph of a Keras model, and calls of traced functions from Python
USES_PRIVATE_NAMES = {"converter/keras_graph.py", "engine/raw_call.py"}


@pytest.mark.parametrize("name", [n for n in TREES if n not in USES_PRIVATE_NAMES])
def test_no_private_attributes_of_others(name):
    """An attribute ``x._name`` is one of the classes of the same file."""
    tree = TREES[name]
    own = {
        node.attr
        for node in attributes(tree)
        if isinstance(node.value, ast.Name) and node.value.id in ("self", "cls")
    }
    own |= {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
    for node in attributes(tree):
        if is_private(node.attr):
            assert node.attr in own, f"{name}:{node.lineno} uses {node.attr}"


@pytest.mark.parametrize("name", [n for n in TREES if n.startswith("engine/")])
def test_the_engine_knows_no_keras(name):
    roots = {target.split(".")[0] for target in imports(TREES[name])}
    assert "keras" not in roots


RUNS = ("engine/", "keras_model/")


@pytest.mark.parametrize("name", [n for n in TREES if n.startswith(RUNS)])
def test_the_engine_asks_no_object_what_it_has(name):
    used = {node.id for node in ast.walk(TREES[name]) if isinstance(node, ast.Name)}
    assert "hasattr" not in used


def calls_at_import(tree):
    """Yield what a module calls when it is imported, outside of functions."""
    todo = list(tree.body)
    while todo:
        node = todo.pop()
        if isinstance(node, ast.FunctionDef | ast.Lambda | ast.AsyncFunctionDef):
            todo.extend(node.args.defaults if hasattr(node, "args") else ())
            todo.extend(getattr(node, "decorator_list", ()))
            continue
        if isinstance(node, ast.Call):
            yield node
        todo.extend(ast.iter_child_nodes(node))


def is_docstring(node):
    return isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


# Keras has to be on TensorFlow before anything else is imported
CHECKS_AT_IMPORT = {"backend.py"}
# For messages: where Keras' backend comes from, and which GPUs are hidden on purpose
READS_THE_ENVIRONMENT = {"backend.py", "simulator/devices.py"}


@pytest.mark.parametrize("name", [n for n in TREES if n not in CHECKS_AT_IMPORT])
def test_no_work_at_import(name):
    tree = TREES[name]
    for node in tree.body:
        assert not isinstance(
            node, ast.For | ast.While | ast.With | ast.Try | ast.Delete
        )
        if isinstance(node, ast.Expr):
            assert is_docstring(node), f"{name}:{node.lineno}"
    for call in calls_at_import(tree):
        root = ast.unparse(call.func).split(".")[0]
        assert root not in ("tf", "tensorflow", "keras", "os", "warnings", "subprocess")


@pytest.mark.parametrize("name", TREES)
def test_no_environment_and_no_subprocesses(name):
    roots = {target.split(".")[0] for target in imports(TREES[name])}
    assert not roots & {"subprocess", "ctypes"}
    used = {node.attr for node in attributes(TREES[name])}
    allowed = {"environ"} if name in READS_THE_ENVIRONMENT else set()
    assert not used & {"environ", "getenv", "putenv"} - allowed


def test_top_level_imports_all_that_it_names():
    assert set(nengo_dl.__all__) <= set(dir(nengo_dl))
