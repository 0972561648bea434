"""Compiled programs in memory between pages that may not be touched (see guarded.py)."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import adlib
import adlib.numpy as jnp
from adlib.compile import engine
from adlib.compile.program import Compiled

guarded = pytest.importorskip("tests.compile.guarded", reason="needs mprotect", exc_type=OSError)
pytestmark = pytest.mark.skipif(
    not engine.available() or sys.platform == "win32", reason="needs llvmlite and mprotect"
)
ROOT = Path(__file__).resolve().parents[2]


def run(*arguments: str, code: str = "") -> subprocess.CompletedProcess[str]:
    command = ["-c", code] if code else ["-m", "tests.compile.guarded", *arguments]
    return subprocess.run(
        [sys.executable, "-W", "error", *command],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
    )


def finishes(*arguments: str) -> None:
    done = run(*arguments)
    last = done.stdout.strip().rpartition("\n")[2]
    assert done.returncode == 0, f"in {last}:\n{done.stderr[-3000:]}"
    assert last.endswith("programs")


@pytest.mark.parametrize("width", ["registry", "wide"])
def test_samples_of_all_primitives(width):
    finishes(width)


def test_random_programs():
    finishes("random", "0", "40")


# ---------------------------------------------------------- whether this finds anything

_SHORT = """
import numpy as np, adlib, adlib.numpy as jnp
from adlib.compile.program import Compiled
from tests.compile import guarded
run = Compiled(adlib.make_jaxpr(lambda x: {body})(np.ones({n}, np.float32)))
guarded.run(run, [np.ones({given}, np.float32)], {at_end}, 0)
"""


@pytest.mark.parametrize("body", ["x * 2", "x[::-1].sum()", "jnp.cumsum(x)"])
def test_reading_past_an_argument_is_the_end(body):
    good = _SHORT.format(body=body, n=40, given=40, at_end=True)
    assert run(code=good).returncode == 0
    done = run(code=_SHORT.format(body=body, n=40, given=39, at_end=True))
    assert done.returncode < 0, done.stderr


def test_writing_beside_a_result_is_found():
    guards = guarded.Guards(False, 0xAB)
    result = guards.empty((3,), np.float32)
    guards.check()
    beyond = np.ndarray(4, np.float32, guards._blocks[0][0], guarded.PAGE)
    result[:] = 0
    guards.check()
    beyond[3] = 0
    with pytest.raises(AssertionError, match="written beside a result or the arena"):
        guards.check()


def test_arrays_lie_where_they_should():
    for at_end in (False, True):
        guards = guarded.Guards(at_end, 1)
        for shape in ((), (0,), (5,), (3, 700)):
            x = guards.array(shape, np.float64, "")
            edge = x.ctypes.data + (x.nbytes if at_end else 0)
            assert edge % guarded.PAGE == 0 and x.flags.carray and x.shape == shape
            y = guards.copy(np.ones(shape), "")
            np.testing.assert_array_equal(y, 1)


def test_all_memory_of_a_program_is_guarded(monkeypatch):
    """Results, arenas, constants and arguments; large results, too."""
    made = []
    array = guarded.Guards.array

    def noted(self: Any, shape: Any, dtype: Any, what: str) -> Any:
        made.append(what.split()[-1])
        return array(self, shape, dtype, what)

    monkeypatch.setattr(guarded.Guards, "array", noted)
    constant = jnp.arange(3000.0)

    def f(x: Any) -> Any:
        y = jnp.tanh(x) * constant
        return y @ y.T, jnp.broadcast_to(x, (600, 3000)) * 2

    x = np.ones((20, 3000), np.float32)[:1]
    guarded.run(Compiled(adlib.make_jaxpr(f)(x)), [x], True, 0)
    assert made.count("arena") >= 3 and "constant" in made and "0" in made
