"""A report is data."""

import json

import numpy as np
import pytest

from nengo_dl.converter.report.operations import DERIVED
from tests.converter.report.helpers import branched, convert


def test_rasters_by_layer(classifier):
    report = classifier[-1]
    assert report.raster("first") is report.rasters[0]
    with pytest.raises(KeyError, match="got 'frist'.*Did you mean 'first'"):
        report.raster("frist")


@pytest.mark.filterwarnings("ignore:Layer")
def test_reports_are_json(classifier):
    model, options = branched()
    other = convert(model, **options).report(list(np.zeros((2, 1, 4))), n_steps=1)
    for report in (classifier[-1], other):
        found = json.loads(report.to_json())
        assert found == report.to_dict()
        assert list(found["total"]) == [*vars(report.total), *DERIVED]
        assert len(found["layers"]) == len(report.layers)
