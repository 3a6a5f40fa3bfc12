"""The table of layers in the documentation is that of the registry."""

import re
import textwrap
from pathlib import Path

from nengo_dl.converter import table

PAGE = Path(__file__).parents[2] / "docs" / "converter.rst"
# which both tables are inside of, to be folded
INDENT = "   "


def test_the_page_has_the_table():
    assert textwrap.indent(table.table(), INDENT) in PAGE.read_text(encoding="utf-8")


def test_the_page_lists_all_other_layers():
    text = PAGE.read_text(encoding="utf-8")
    rest = text.split(textwrap.indent(table.table(), INDENT))[1]
    listed = set(re.findall(r"``(\w+)``", rest))
    assert set(table.fallbacks()) <= listed
    assert not listed & {name for name, _, _ in table.rows()}


def test_every_registered_layer_says_what_it_becomes():
    assert all(native for _, native, _ in table.rows())
    assert len({name for name, _, _ in table.rows()}) == len(table.rows()) > 50


def test_the_page_has_the_table_of_operators():
    assert textwrap.indent(table.operator_table(), INDENT) in PAGE.read_text(
        encoding="utf-8"
    )
    assert all(native for _, native, _ in table.operators())
    names = [name for names, _, _ in table.operators() for name in names]
    assert len(names) == len(set(names)) > 100
