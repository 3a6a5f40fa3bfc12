"""Reports as text are readable."""

import numpy as np
import pytest

from nengo_dl.converter.report.text import number
from tests.converter.report.helpers import branched, convert


@pytest.mark.filterwarnings("ignore:Layer")
def test_printed_reports_are_readable(classifier):
    model, options = branched()
    other = convert(model, **options).report(list(np.zeros((2, 1, 4))), n_steps=1)
    for report in (classifier[-1], other):
        text = str(report)
        assert max(map(len, text.splitlines())) <= 100
        for layer in report.layers:
            assert layer.name in text
            assert layer.reason in " ".join(text.split())
        for energy in report.energy:
            assert energy.source in text
        assert "estimates of arithmetic alone" in text
        assert text.isascii()


@pytest.mark.parametrize(
    "value, text",
    [
        *((None, "-"), (0, "0"), (7, "7"), (0.123, "0.12"), (12.34, "12.3")),
        *((999.4, "999"), (999.6, "1.00k"), (12345, "12.3k"), (3.2e15, "3200T")),
    ],
)
def test_numbers_are_short(value, text):
    assert number(value) == text


@pytest.mark.parametrize(
    "value, text", [(0, "0 J"), (4.6e-12, "4.60 pJ"), (2.5e-7, "250 nJ"), (3, "3.00 J")]
)
def test_units_have_prefixes(value, text):
    assert number(value, "J") == text
