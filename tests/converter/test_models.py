"""Models of realistic shape convert without fallback, and compute the same."""

import pytest

from tests.converter.cases import seeded
from tests.converter.models import MODELS, TRAINABLE
from tests.converter.test_layers import check


@pytest.mark.parametrize("name", MODELS)
def test_models(name):
    model = seeded(MODELS[name]())
    check(model, inference_only=name not in TRAINABLE)
