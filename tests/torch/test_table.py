"""The table of operators in the documentation is that of the registry."""

import textwrap
from pathlib import Path

import nengo_dl.torch
from nengo_dl.exchange.table import table

PAGE = Path(__file__).parents[2] / "docs" / "torch.rst"


def test_the_page_has_the_table():
    """Printed as the docstring of ``nengo_dl/exchange/table.py`` says."""
    operators = nengo_dl.torch.supported_operators()
    assert textwrap.indent(table(operators), "   ") in PAGE.read_text(encoding="utf-8")


def test_operators_say_what_they_become():
    assert all(op.keras for op in nengo_dl.torch.supported_operators().values())
