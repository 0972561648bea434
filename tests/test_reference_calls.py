"""Types, shapes and errors of some thousand calls, as JAX has them.

``tests/reference_calls/<module>.json`` holds the calls and what they give in JAX 0.10, written
by ``tools/reference_calls.py``; ``adlib.<module>`` must give the same, or what the file's section
"different" says, by the reason, where the two differ on purpose (docs/differences.md).
"""

from __future__ import annotations

import importlib
import warnings
from pathlib import Path
from typing import Any

import pytest

import adlib
import adlib.numpy as jnp
from tests.reference_calls import notation

FILES = sorted(notation.FOLDER.glob("*.json"))


def failures(path: Path) -> list[str]:
    module: Any = importlib.import_module(f"adlib.{path.stem}")
    names = {**vars(module), **notation.names_of(jnp), "jnp": jnp, "lax": adlib.lax}
    return [
        f"{call}\n    gives {given}, not {wanted}" + (f": {error}" if error else "")
        for call, given, wanted, error in notation.disagreements(path, names, adlib.Array)
    ]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_calls(path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = failures(path)
    assert not found, f"{len(found)} calls differ:\n" + "\n".join(found[:40])


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_differences_are_differences(path):
    calls, different = notation.load(path)
    assert not set(different) - set(calls), "differences from calls that are not on record"
    assert [c for c, r in different.items() if calls[c] == r] == []


def test_notation():
    names = notation.names_of(jnp)
    for call, wanted in (
        ("f4m", "f32[2,3]"),
        ("wi, 2, [c8]", "(i32[3]* 2 [c64[3]])"),
        ("f4.dtype", "dtype float32"),
        ("f4[0.5]", "!TypeError"),
        ("f4q.item()", "!ValueError"),
    ):
        assert notation.evaluate(call, names, adlib.Array)[0] == wanted
    with pytest.raises(AssertionError):
        assert notation.matches("!TypeError", ValueError("no"))
