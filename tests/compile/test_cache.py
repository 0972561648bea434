"""The disk cache of machine code."""

from __future__ import annotations

import numpy as np
import pytest

import adlib
import adlib.numpy as jnp
from adlib.compile import cache, engine
from adlib.compile.program import Compiled


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.setenv("ADLIB_CACHE_DIR", str(tmp_path / "code"))
    return tmp_path / "code"


@pytest.fixture
def made(monkeypatch):
    """Counts what is compiled rather than loaded."""
    count = []
    compile_ = engine.object_code
    monkeypatch.setattr(engine, "object_code", lambda text: count.append(text) or compile_(text))
    return count


def run(scale=2.0):
    closed = adlib.make_jaxpr(lambda x: jnp.sum(jnp.exp(x) * scale))(jnp.ones(5))
    return Compiled(closed).function(np.ones(5, np.float32))[0]


def test_a_program_is_compiled_once(place, made):
    assert run() == run()
    assert len(made) == 1
    (entry,) = place.iterdir()
    assert entry.suffix == ".o"
    run(3.0)
    assert len(made) == 2 and len(list(place.iterdir())) == 2


@pytest.mark.parametrize("damage", [b"", b"adlib-object-1\n", None, "cut", "bit"])
def test_a_damaged_entry_is_made_anew(place, made, damage):
    wanted = run()
    (entry,) = place.iterdir()
    content = entry.read_bytes()
    if damage == "cut":
        damage = content[:-9]
    elif damage == "bit":
        damage = content[:-9] + bytes([content[-9] ^ 1]) + content[-8:]
    entry.write_bytes(b"another format" + content if damage is None else damage)
    assert run() == wanted
    assert len(made) == 2
    assert entry.read_bytes() == content
    run()
    assert len(made) == 2


def test_clear_caches_empties_it(place, made):
    run()
    (place / "new-unfinished").write_bytes(b"")
    (place / "notes.txt").write_text("not ours")
    adlib.clear_caches()
    assert [p.name for p in place.iterdir()] == ["notes.txt"]
    run()
    assert len(made) == 2


def test_it_can_be_switched_off(place, made, monkeypatch):
    with adlib.config.override(jit_disk_cache=False):
        run()
        assert cache.directory() is None
    monkeypatch.setenv("ADLIB_CACHE_DIR", "")
    run()
    assert not place.exists() and len(made) == 2


def test_a_place_that_cannot_be_written_does_no_harm(tmp_path, monkeypatch, made):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("ADLIB_CACHE_DIR", str(tmp_path / "file" / "code"))
    assert run() == run()
    assert len(made) == 2


@pytest.mark.parametrize(
    "platform, variables, wanted",
    [
        ("linux", {"HOME": "/home/me"}, "/home/me/.cache/adlib"),
        ("linux", {"HOME": "/home/me", "XDG_CACHE_HOME": "/cache"}, "/cache/adlib"),
        ("darwin", {"HOME": "/Users/me"}, "/Users/me/Library/Caches/adlib"),
        ("win32", {"HOME": "/u", "LOCALAPPDATA": "/u/Local"}, "/u/Local/adlib/Cache"),
        ("linux", {"ADLIB_CACHE_DIR": "/here"}, "/here"),
    ],
)
def test_where_it_lies(monkeypatch, platform, variables, wanted):
    for name in ("ADLIB_CACHE_DIR", "XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(cache.sys, "platform", platform)
    place = cache.directory()
    assert place is not None and place.as_posix() == wanted


def test_another_process_compiles_nothing(place, run_python):
    code = """
import adlib, adlib.numpy as jnp
from adlib.compile import engine
adlib.config.update("jit_backend", "native")
count, compile_ = [], engine.object_code
engine.object_code = lambda text: count.append(text) or compile_(text)
print(float(adlib.jit(lambda x: jnp.sin(x) @ x)(jnp.arange(4.0))), len(count))
"""
    first, second = run_python(code).split(), run_python(code).split()
    assert first[0] == second[0]
    assert (first[1], second[1]) == ("1", "0")
