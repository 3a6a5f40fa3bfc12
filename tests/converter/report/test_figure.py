"""Reports as pictures show all layers."""

import matplotlib
import numpy as np
import pytest
from matplotlib import pyplot

from tests.converter.report.helpers import branched, convert


@pytest.mark.filterwarnings("ignore:Layer")
def test_pictures(classifier):
    matplotlib.use("Agg")
    model, options = branched()
    other = convert(model, **options).report(list(np.ones((2, 1, 4))), n_steps=2)
    for report, course in ((classifier[-1], "Accuracy"), (other, "Error")):
        figure = report.plot()
        raster, rates, over_time, errors = figure.axes
        assert len(rates.get_yticks()) == sum(bool(x.neurons) for x in report.layers)
        assert len(errors.get_yticks()) == len(report.layers)
        assert over_time.get_title().startswith(course)
        assert bool(raster.lines) == bool(report.rasters)
        assert raster.get_xlim() == over_time.get_xlim()
        figure.canvas.draw()
        pyplot.close(figure)
