"""The tables of layers and operators and what they become, for ``docs/converter.rst``.

``python -m nengo_dl.converter.table`` prints them.
"""

from typing import Any

import keras

from nengo_dl.converter.operators import SIGNS
from nengo_dl.converter.registry import ANY_LAYER, REGISTRY

# Base classes, and what has converters of its own kind.
NO_ROWS = ("InputLayer", "Layer", "Wrapper")


def rows() -> list[tuple[str, str, str]]:
    """List name, native form and restrictions of each registered layer of Keras."""
    return sorted(
        (_name(layer_type), rule.native, rule.restrictions)
        for layer_type, rule in REGISTRY.items()
        if layer_type is not ANY_LAYER and layer_type in _keras_layers()
    )


def _name(registered: Any) -> str:
    """Return the name of a registered type or function."""
    return registered.__name__


def fallbacks():
    """List the names of all other layers of the installed Keras."""
    return sorted(
        name
        for name in map(_name, _keras_layers() - set(REGISTRY))
        if name not in NO_ROWS
    )


def operators():
    """List names, native form and restrictions of functions of ``keras.ops``."""
    found: dict[tuple[str, str], list[str]] = {}
    for key, rule in REGISTRY.items():
        if callable(key) and not isinstance(key, type):
            form = (rule.native, rule.restrictions)
            found.setdefault(form, []).append(_name(key))
    return sorted((tuple(sorted(names)), *form) for form, names in found.items())


def table():
    """Return the table of layers as reStructuredText."""
    named = [(f"``{name}``", *rest) for name, *rest in rows()]
    return _table([("Layer", "Native form", "Restrictions"), *named])


def operator_table():
    """Return the table of operators as reStructuredText."""
    header = ("Functions of ``keras.ops``", "Native form", "Restrictions")
    listed = [(", ".join(map(_shown, names)), *rest) for names, *rest in operators()]
    return _table([header, *listed])


def _shown(name):
    sign = SIGNS.get(name)
    return f"``{name}``" if sign is None else f"``{name}`` (``{sign}``)"


def _table(all_rows):
    lines = [".. list-table::", "   :header-rows: 1", "   :widths: 30 40 30", ""]
    for name, *rest in all_rows:
        lines.append(f"   * - {name}")
        lines += [f"     - {text}".rstrip() for text in rest]
    return "\n".join(lines) + "\n"


def _keras_layers():
    return {
        value
        for value in vars(keras.layers).values()
        if isinstance(value, type) and issubclass(value, keras.layers.Layer)
    }


if __name__ == "__main__":
    print(table())
    print(operator_table())
    print(", ".join(f"``{name}``" for name in fallbacks()))
