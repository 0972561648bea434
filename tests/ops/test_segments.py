"""Reductions by segment, against loops."""

import numpy as np
import pytest

import adlib
import adlib.numpy as jnp
from adlib.ops import segment_max, segment_min, segment_prod, segment_sum
from adlib.test_util import check_grads

DATA = np.random.default_rng(0).normal(size=(8, 3)).astype(np.float32)
IDS = np.array([0, 2, 2, -1, 0, 5, 9, 2])
CASES = [(segment_sum, np.sum, 0), (segment_prod, np.prod, 1), (segment_max, np.max, -np.inf),
         (segment_min, np.min, np.inf)]  # fmt: skip


@pytest.mark.parametrize(("segments", "reduce", "empty"), CASES)
def test_values(segments, reduce, empty):
    for data in (DATA, DATA[:, 0]):
        wanted = np.stack([reduce(data[k == IDS], axis=0, initial=empty) for k in range(6)])
        np.testing.assert_allclose(segments(data, IDS, 6), wanted, rtol=1e-6)
        jitted = adlib.jit(lambda d, i: segments(d, i, 6))
        np.testing.assert_allclose(jitted(data, IDS), wanted, rtol=1e-6)
    check_grads(lambda d: segments(d, IDS, 3)[np.array([0, 2])], (DATA[:, 0],), order=1)


def test_the_number_of_segments_is_the_largest_id_plus_one():
    assert segment_sum(jnp.ones((4, 2)), jnp.array([0, 1, 1, 0])).tolist() == [[2, 2], [2, 2]]
    assert segment_sum(jnp.ones(0), jnp.zeros(0, int)).shape == (0,)
    assert segment_max(jnp.arange(3), jnp.array([0, 0, 2])).tolist() == [1, -(2**31), 2]
    assert segment_min(jnp.array([True, False]), jnp.array([0, 2])).tolist() == [True, True, False]
    clipped = segment_sum(jnp.ones(3), jnp.array([0, 5, -7]), 2, mode="clip")
    assert clipped.tolist() == [2.0, 1.0]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: segment_sum(DATA, IDS[:3]), r"integer segment_ids of shape \(n,\)"),
        (lambda: segment_sum(DATA, IDS * 1.0), "integer segment_ids"),
        (lambda: adlib.jit(segment_sum)(DATA, IDS), "needs num_segments"),
        (lambda: segment_sum(DATA, IDS, -1), "0 or more; it was given -1"),
    ],
)
def test_errors(call, message):
    with pytest.raises(ValueError, match=message):
        call()
