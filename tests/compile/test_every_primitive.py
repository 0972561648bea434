"""Compiled programs against the reference executor: every sample of every primitive."""

from __future__ import annotations

import numpy as np
import pytest

from adlib.base.config import enable_x64
from adlib.compile import loop_text
from adlib.compile.program import Compiled
from adlib.core import dtypes
from adlib.core.program import program
from adlib.interpreters.stage import stage
from tests.ops.harness import Case
from tests.ops.test_registry import SAMPLES, samples_of

_EPS = {2: 2e-2, 1: 0.3}

# Times as many units, where the kernel's own error is that large
_LESS_EXACT = {"expm": 100, "expm_frechet": 100}


def tolerance(dtype) -> float:
    """What results may differ by: a few units in the last place of the type."""
    if not dtypes.is_inexact(dtype):
        return 0.0
    size = dtype.itemsize // (2 if dtype.kind == "c" else 1)
    return _EPS.get(size) or (2e-6 if size == 4 else 2e-14)


def same(given, wanted, what="", factor=1.0):
    """Equal shapes, types and, to a few units in the last place, numbers; NaN equals NaN."""
    assert len(given) == len(wanted)
    for g, w in zip(given, wanted, strict=True):
        g, w = np.asarray(g), np.asarray(w)
        assert g.shape == w.shape, what
        assert g.dtype == w.dtype, what
        if w.dtype.kind not in "biufc" and not dtypes.is_inexact(w.dtype):
            assert g.tobytes() == w.tobytes()
            continue
        rtol = factor * tolerance(w.dtype)
        if w.dtype.kind == "V" or w.dtype.itemsize < 4 and dtypes.is_inexact(w.dtype):
            g, w = g.astype(np.float64), w.astype(np.float64)
        finite = np.abs(w[np.isfinite(w)])
        scale = max(1e-30, float(finite.max())) if finite.size else 1.0
        np.testing.assert_allclose(g, w, rtol=rtol, atol=rtol * scale, err_msg=what)
        if w.dtype.kind == "f":
            zeros = (w == 0) & (g == 0)
            assert np.array_equal(np.signbit(g[zeros]), np.signbit(w[zeros])), (
                f"{what}: zeros' signs"
            )


def compile_and_compare(closed, values, what="", factor=1.0):
    compiled = Compiled(closed)
    for segment in compiled.segments.values():
        for part, _, _ in segment.parts:
            if not hasattr(part, "writer"):
                continue
            writer = part.writer
            loop_text.verify(writer.kernel)
            assert loop_text.show(writer.kernel)
    with np.errstate(all="ignore"):
        wanted = program(closed, np)(*values)
        for _ in range(2):
            same(compiled.function(*values), wanted, what, factor)
    return compiled


@pytest.mark.parametrize("primitive, sample", SAMPLES)
def test_compiled_is_reference(primitive, sample):
    case = Case(primitive, samples_of(primitive)[sample])
    closed = stage(case, [a.aval for a in case.args])
    factor = _LESS_EXACT.get(primitive.name, 1)
    compile_and_compare(closed, [a._value for a in case.args], str(primitive), factor)


@pytest.mark.parametrize("primitive, sample", SAMPLES)
def test_compiled_is_reference_in_64_bits(primitive, sample):
    with enable_x64(True):
        case = Case(primitive, samples_of(primitive)[sample], wide=True)
        closed = stage(case, [a.aval for a in case.args])
        factor = _LESS_EXACT.get(primitive.name, 1)
        compile_and_compare(closed, [a._value for a in case.args], str(primitive), factor)
