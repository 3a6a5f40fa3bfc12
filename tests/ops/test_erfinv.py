"""The inverse of the error function against SciPy's, up to the numbers next to 1."""

import numpy as np
import pytest
import scipy.special
import tensorflow as tf

from nengo_dl.ops.erfinv import erfinv


@pytest.mark.parametrize("jit_compile", [True, False])
def test_values_are_those_of_the_inverse_of_the_error_function(jit_compile):
    # what Gaussian numbers are made of: odd multiples of 2**-24
    places = [range(2**23)[:1000], range(2**23)[::501], range(2**23)[-1000:]]
    middles = (2 * np.concatenate(places) + 1) * 2.0**-24
    x = np.concatenate([-middles, middles]).astype(np.float32)
    assert np.max(x) == 1 - 2.0**-24
    found = tf.function(erfinv, jit_compile=jit_compile)(x)
    expected = scipy.special.erfinv(x.astype(np.float64))
    np.testing.assert_allclose(found, expected, rtol=4e-7)
