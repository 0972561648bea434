"""Arrays that are put together: margins around what is padded."""

from __future__ import annotations

import numpy as np
import pytest

import adlib
import adlib.numpy as jnp
from adlib import lax
from adlib.compile import pieces
from tests.compile.test_every_primitive import compile_and_compare
from tests.compile.test_row_updates import kernels

PADDINGS = [
    ((5, 7), ((1, 2, 0), (0, 3, 0)), 3),
    ((5, 7), ((0, 0, 0), (2, 0, 0)), 1),
    ((5, 7), ((-1, 2, 0), (3, -2, 0)), 2),
    ((5, 7), ((-6, 2, 0), (3, 0, 0)), None),
    ((4,), ((3, 3, 0),), 2),
    ((2, 3, 4), ((1, 1, 0), (0, 0, 0), (2, 1, 0)), 4),
    ((2, 3, 4), ((1, 1, 1), (0, 0, 0), (2, 1, 0)), None),
    ((0, 4), ((1, 1, 0), (1, 1, 0)), None),
    ((3, 4), ((0, 0, 0), (0, 0, 0)), 0),
    ((3, 4), ((-1, -1, 0), (-2, 0, 0)), 0),
]


@pytest.mark.parametrize("large", [False, True])
@pytest.mark.parametrize("shape, config, margins", PADDINGS)
def test_padding(monkeypatch, shape, config, margins, large):
    monkeypatch.setattr(pieces, "_LARGE", 0 if large else 1 << 40)
    x = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
    closed = adlib.make_jaxpr(lambda x: lax.pad(x, np.float32(2.5), config))(jnp.asarray(x))
    run = compile_and_compare(closed, [x])
    texts = [nest.why for kernel in kernels(run) for nest in kernel.nests]
    if large and margins is not None:
        assert texts.count("a margin") == margins and "padding" not in texts
    else:
        assert "a margin" not in texts


def test_large_arrays_are_written_once():
    x = np.random.default_rng(0).standard_normal((300, 200)).astype(np.float32)
    run = compile_and_compare(adlib.make_jaxpr(lambda x: jnp.pad(x, 2) * 2)(jnp.asarray(x)), [x])
    (kernel, *_) = kernels(run)
    written = sum(np.prod(nest.extents) for nest in kernel.nests)
    assert written == 304 * 204
