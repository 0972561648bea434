"""The disk cache of machine code."""

from __future__ import annotations

import os
import subprocess
import sys
import time

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


@pytest.mark.parametrize("damage", [b"", b"adlib-object-2\n", None, "cut", "bit"])
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


# ------------------------------------------------------------------ its size


def entry_of(name: str, size: int, age: float) -> None:
    """An entry of so many bytes in all, last used ``age`` seconds ago."""
    cache.write(name, bytes(size - len(cache._MAGIC) - 32))
    file = cache.directory() / f"{name}.o"
    then = time.time() - age
    os.utime(file, (then, then))


def test_what_was_not_used_for_longest_goes(place):
    with adlib.config.override(jit_disk_cache_bytes=10_000):
        for number in range(9):
            entry_of(f"e{number}", 1000, age=1000 - number)
        cache.read("e0")  # it is the newest now
        cache._allowance.clear()  # as in another process
        entry_of("f0", 1000, age=0)
        assert len(list(place.iterdir())) == 10
        entry_of("f1", 1000, age=0)
    names = {file.stem for file in place.iterdir()}
    assert names == {"e0", "e5", "e6", "e7", "e8", "f0", "f1"}


def test_the_size_is_bounded_whatever_is_written(place):
    with adlib.config.override(jit_disk_cache_bytes=20_000):
        for number in range(200):
            cache.write(f"e{number}", bytes(500 + number))
            assert sum(file.stat().st_size for file in place.iterdir()) <= 21_000
        cache.write("large", bytes(20_000))
        assert cache.read("large") is None
        assert cache.read("e199") == bytes(699)


def test_what_a_killed_process_left_goes(place):
    cache.write("one", b"code")
    for name, age in (("new-old", 2 * 3600), ("new-young", 10)):
        (place / name).write_bytes(b"half")
        os.utime(place / name, (time.time() - age, time.time() - age))
    cache._allowance.clear()
    cache.write("two", b"code")
    assert {file.name for file in place.iterdir()} == {"one.o", "two.o", "new-young"}


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root writes everywhere")
def test_a_directory_that_is_read_only_is_still_read(place, made):
    wanted = run()
    place.chmod(0o500)
    try:
        assert run() == wanted and len(made) == 1
        run(3.0)
        assert len(made) == 2 and len(list(place.iterdir())) == 1
    finally:
        place.chmod(0o700)


def test_what_cannot_be_written_is_compiled(place, made, monkeypatch):
    def refused(*args, **kwargs):
        raise PermissionError("read-only")

    wanted = run()
    monkeypatch.setattr(cache.tempfile, "mkstemp", refused)
    monkeypatch.setattr(cache.os, "utime", refused)
    assert run() == wanted and len(made) == 1
    run(3.0)
    assert len(made) == 2 and len(list(place.iterdir())) == 1


# ------------------------------------------------------------------ other processes

COUNTED = """
import adlib, adlib.numpy as jnp
from adlib.compile import engine
adlib.config.update("jit_backend", "native")
count, compile_ = [], engine.object_code
engine.object_code = lambda text: count.append(text) or compile_(text)
"""

# What a notebook holds: gradients, loops, branches, products, reductions, one cell after another.
NOTEBOOK = (
    COUNTED
    + """
x = jnp.arange(1.0, 7.0)
w = jnp.reshape(jnp.arange(36.0), (6, 6)) / 36
loss = lambda w, x: jnp.sum(jnp.tanh(w @ x) ** 2)
cells = [
    adlib.jit(lambda w, x: jnp.sin(x) @ w),
    adlib.jit(adlib.grad(loss)),
    adlib.jit(adlib.hessian(loss, argnums=1)),
    adlib.jit(adlib.jacrev(lambda w, x: adlib.nn.softmax(w @ x), argnums=1)),
    adlib.jit(lambda w, x: adlib.lax.scan(lambda h, r: (jnp.tanh(w @ h + r), h), x, w)),
    adlib.jit(adlib.grad(lambda w, x: adlib.lax.scan(
        lambda h, r: (jnp.tanh(w @ h + r), h), x, w)[0].sum())),
    adlib.jit(lambda w, x: adlib.lax.while_loop(
        lambda s: s[0] < 10, lambda s: (s[0] + 1, s[1] * 1.5), (0, x))[1]),
    adlib.jit(lambda w, x: adlib.lax.cond(x[0] > 3, jnp.sin, jnp.cos, x)),
    adlib.jit(adlib.vmap(adlib.grad(lambda x: jnp.log1p(jnp.exp(x))))),
    adlib.jit(lambda w, x: adlib.random.normal(adlib.random.PRNGKey(3), (40,)) + x[0]),
    adlib.jit(lambda w, x: (jnp.sort(x), w[jnp.array([0, 2])], w.at[1].add(x), jnp.cumsum(x))),
    adlib.jit(lambda w, x: (jnp.linalg.cholesky(w @ w.T + 9 * jnp.eye(6)), jnp.linalg.det(w))),
]
results = [cell(x) if i == 8 else cell(w, x) for i, cell in enumerate(cells)]
total = sum(float(jnp.sum(leaf)) for leaf in adlib.tree_util.tree_leaves(results))
print(repr(total), len(count))
"""
)


def test_another_process_compiles_nothing(place, run_python):
    code = (
        COUNTED + "print(float(adlib.jit(lambda x: jnp.sin(x) @ x)(jnp.arange(4.0))), len(count))"
    )
    first, second = run_python(code).split(), run_python(code).split()
    assert first[0] == second[0]
    assert int(first[1]) > 0 and second[1] == "0"


def test_a_notebook_that_is_run_again_compiles_nothing(place, run_python, monkeypatch):
    monkeypatch.setenv("PYTHONHASHSEED", "1")
    first = run_python(NOTEBOOK).split()
    monkeypatch.setenv("PYTHONHASHSEED", "2")
    second = run_python(NOTEBOOK).split()
    assert first[0] == second[0]
    assert int(first[1]) >= 10 and second[1] == "0"


def test_processes_share_it(place):
    """Four at once, which write and delete the same entries."""
    code = """
import sys
import adlib, adlib.numpy as jnp
adlib.config.update("jit_disk_cache_bytes", 40_000)
for number in range(6):
    for scale in range(3):
        f = adlib.jit(lambda x, s=float(scale): jnp.sum(jnp.exp(x) * s))
        assert abs(float(f(jnp.zeros(5))) - 5.0 * scale) < 1e-5
    if number == int(sys.argv[1]):
        adlib.clear_caches()
print("done")
"""
    started = [
        subprocess.Popen(
            [sys.executable, "-W", "error", "-c", code, str(number)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
            text=True,
        )
        for number in range(4)
    ]
    for process in started:
        out, err = process.communicate(timeout=120)
        assert out == "done\n", err
    for file in place.iterdir():
        assert cache.read(file.stem) is not None, file
