"""The table of Keras layers and what they become, for ``docs/converter.rst``.

``python -m nengo_dl.converter.table`` prints it.
"""

import keras

from nengo_dl.converter.registry import ANY_LAYER, REGISTRY

# Base classes, and what has converters of its own kind.
NO_ROWS = ("InputLayer", "Layer", "Wrapper")


def rows():
    """List what each registered layer of Keras becomes.

    Returns
    -------
    rows : list of (str, str, str)
        The layer's name, its native form, and the restrictions on it ("" for none).
    """
    return sorted(
        (layer_type.__name__, entry.native, entry.restrictions)
        for layer_type, entry in REGISTRY.items()
        if layer_type is not ANY_LAYER and layer_type in _keras_layers()
    )


def fallbacks():
    """List the names of all other layers of the installed Keras."""
    return sorted(
        layer_type.__name__
        for layer_type in _keras_layers() - set(REGISTRY)
        if layer_type.__name__ not in NO_ROWS
    )


def table():
    """Return the table as reStructuredText."""
    lines = [".. list-table::", "   :header-rows: 1", "   :widths: 30 40 30", ""]
    header = ("Layer", "Native form", "Restrictions")
    for row in (header, *rows()):
        name, *rest = row if row is header else (f"``{row[0]}``", *row[1:])
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
    print(", ".join(f"``{name}``" for name in fallbacks()))
