"""The table of operators of a library, for ``docs/torch.rst`` and ``docs/onnx.rst``.

.. code-block:: none

   python -c "import nengo_dl
   from nengo_dl.exchange.table import table
   print(table(nengo_dl.torch.supported_operators()))"
"""

from collections.abc import Mapping

from nengo_dl.exchange.registry import Operator


def table(operators: Mapping[str, Operator]) -> str:
    """Return operators, and what they become, as reStructuredText."""
    lines = [".. list-table::", "   :header-rows: 1", "   :widths: 50 30 20", ""]
    for name, *rest in [("Operators", "In Keras", "Restrictions"), *rows(operators)]:
        lines.append(f"   * - {name}")
        lines += [f"     - {text}".rstrip() for text in rest]
    return "\n".join(lines) + "\n"


def rows(operators: Mapping[str, Operator]) -> list[tuple[str, str, str]]:
    """List names, forms and restrictions; one row for those that share a function."""
    shared: dict[Operator, list[str]] = {}
    for name, operator in operators.items():
        shared.setdefault(operator, []).append(f"``{name.split('.', 1)[1]}``")
    return [
        (", ".join(names), operator.keras, operator.restrictions)
        for operator, names in shared.items()
    ]
