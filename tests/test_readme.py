"""The README keeps what it promises: short, and with no dead end."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.rst").read_text(encoding="utf-8")


def test_links_and_pictures_lead_somewhere():
    links = re.findall(r"`[^`<]+ <([^`>]+)>`_", README)
    targets = [link for link in links if "://" not in link]
    targets += re.findall(r"^\.\. image:: (\S+)$", README, flags=re.MULTILINE)
    assert len(targets) > 5
    for target in targets:
        assert (ROOT / target).exists(), target


def test_the_first_example_has_15_lines():
    block = re.search(r"\.\. code-block:: python\n\n(.*?)\n(?=\S)", README, re.DOTALL)
    assert len([line for line in block[1].splitlines() if line.strip()]) == 15


@pytest.mark.parametrize("path", sorted((ROOT / "docs" / "images").glob("*.png")))
def test_pictures_are_small(path):
    assert path.stat().st_size < 100_000
