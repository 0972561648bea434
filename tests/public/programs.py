"""One-line programs of the public functions, and what each must do under every transformation.

Each line of ``programs/*.txt`` is an expression of the arrays below: a function of those that
occur in it. A comment says where the usual demands do not apply:

* ``jit raises``, ``vmap raises``: values are needed there, and the error says so;
* ``no vmap``: a side effect or the host's own data;
* ``jvp raises``: no derivative is defined, and the error says so;
* ``forward only``, ``reverse only``: one mode is documented to be absent, and raises;
* ``first order``: no second derivative;
* ``no differences``: finite differences do not apply; the two modes are compared alone;
* ``rounds tangents``: a linear function with rounding, whose two modes round differently;
* ``tol 1e-5``: the error allowed.
"""

from __future__ import annotations

import ast
import dataclasses
import functools
import re
from pathlib import Path
from typing import Any

import numpy as np

import adlib
import adlib.numpy as jnp
from adlib import errors, tree_util

FOLDER = Path(__file__).parent / "programs"

_rng = np.random.default_rng(5)
_normal = _rng.standard_normal


def _complex(*shape: int) -> np.ndarray:
    return _normal(shape) + 1j * _normal(shape)


# Free names of the programs. Floats stay away from kinks and ties by the seed.
ARRAYS: dict[str, np.ndarray] = {
    "s": np.array(0.7),
    "t": np.array(1.6),
    "x": np.array([0.31, 0.82, 0.55, 0.17]),  # in (0, 1)
    "y": np.array([1.3, 2.2, 1.9, 3.1]),  # above 1
    "u": np.array([0.44, -1.27, 0.83, -0.36]),  # of both signs
    "v": np.array([-0.71, 0.58, 1.36, 0.22]),
    "A": _normal((3, 4)),
    "B": _normal((4, 3)),
    "S": _normal((3, 3)) + 2 * np.eye(3),
    "T": _normal((2, 3, 4)),
    "c": _complex(4),
    "d": _complex(4),
    "C": _complex(3, 4),
    "W": _complex(3, 3) + 2 * np.eye(3),
    "X": _normal((1, 2, 5, 4)),  # images, channels in front
    "K": _normal((3, 2, 2, 3)),  # kernels
    "n": np.array(2),
    "i": np.array([1, 3, 0, 2]),
    "j": np.array([2, 0, 2, 5]),
    "b": np.array([True, False, True, True]),
}
KEYS = ("key",)  # free names that stand for random keys

NEEDS_VALUES = (
    errors.ConcretizationTypeError,
    errors.NonConcreteBooleanIndexError,
    errors.TracerArrayConversionError,
    errors.TracerBoolConversionError,
    errors.TracerIntegerConversionError,
    TypeError,
    ValueError,
)
NO_RULE = (NotImplementedError, TypeError, ValueError)

STEP = 1e-3
COPIES = (1.0, 0.97, 1.02)  # what the rows of a batch are multiplied by


@dataclasses.dataclass(frozen=True)
class Program:
    """A line of a table: its text, what it is a function of, and its marks."""

    text: str
    marks: tuple[str, ...]
    names: tuple[str, ...]
    functions: tuple[str, ...]

    def __call__(self, *args: Any) -> Any:
        return eval(_code(self.text), {**modules(), **dict(zip(self.names, args, strict=True))})

    def has(self, mark: str) -> bool:
        return mark in self.marks

    @property
    def tolerance(self) -> float | None:
        """The error allowed, where the line says so."""
        found = [float(m.split()[1]) for m in self.marks if m.startswith("tol ")]
        return found[0] if found else None

    def arguments(self, copy: int = 0) -> list[Any]:
        return [argument(name, copy) for name in self.names]


@functools.cache
def _code(text: str) -> Any:
    return compile(text, "program", "eval")


@functools.cache
def modules() -> dict[str, Any]:
    """What the programs may name besides arrays."""
    from adlib import example_libraries, experimental, lax, nn, ops, random, scipy
    from adlib.example_libraries import optimizers, stax
    from adlib.experimental import checkify, jet, ode  # noqa: F401

    return {
        "adlib": adlib, "jnp": jnp, "np": np, "lax": lax, "nn": nn, "ops": ops, "random": random,
        "scipy": scipy, "experimental": experimental, "optimizers": optimizers, "stax": stax,
        "example_libraries": example_libraries,
    }  # fmt: skip


def argument(name: str, copy: int) -> Any:
    """The array of that name; further copies are the rows of a batch."""
    if name in KEYS:
        return adlib.random.split(adlib.random.key(3), len(COPIES))[copy]
    value = ARRAYS[name]
    return jnp.asarray(value * COPIES[copy] if value.dtype.kind in "fc" else value)


def read(path: Path) -> list[Program]:
    found = []
    for line in path.read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("["):
            text, *marks = (part.strip() for part in line.split("  # "))
            marks = [m for part in marks for m in re.split(r"\s+# ", part)]
            found.append(Program(text, tuple(marks), *_names(text)))
    return found


@functools.cache
def all_of_them() -> list[Program]:
    return [p for path in sorted(FOLDER.glob("*.txt")) for p in read(path)]


def _names(text: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The arrays that a program uses, and the dotted names of the functions."""
    tree = ast.parse(text, mode="eval")
    bound = {a.arg for node in ast.walk(tree) if isinstance(node, ast.Lambda)
             for a in ast.walk(node.args) if isinstance(a, ast.arg)}  # fmt: skip
    bound |= {node.id for node in ast.walk(tree)
              if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}  # fmt: skip
    free = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)} - bound
    used = tuple(name for name in [*ARRAYS, *KEYS] if name in free)
    dotted = {ast.unparse(node) for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    return used, tuple(sorted(dotted))


# ------------------------------------------------------------------------ the demands


def leaves(tree: Any) -> list[np.ndarray]:
    """The numbers of a result; keys as their words."""
    return [_numbers(x) for x in tree_util.tree_leaves(tree)]


def _numbers(x: Any) -> np.ndarray:
    if isinstance(x, adlib.Array) and jnp.issubdtype(x.dtype, adlib.dtypes.prng_key):
        x = adlib.random.key_data(x)
    return np.asarray(x)


def assert_close(found: Any, wanted: Any, tol: float, what: str) -> None:
    found, wanted = leaves(found), leaves(wanted)
    assert len(found) == len(wanted), what
    for f, w in zip(found, wanted, strict=True):
        assert f.shape == w.shape, f"{what}: shapes {f.shape} and {w.shape}"
        assert f.dtype == w.dtype, f"{what}: dtypes {f.dtype} and {w.dtype}"
        if w.dtype.kind in "fc":
            scale = max(1.0, float(np.max(np.abs(w), initial=0.0, where=np.isfinite(w))))
            np.testing.assert_allclose(f, w, rtol=tol, atol=tol * scale, err_msg=what)
        else:
            np.testing.assert_array_equal(f, w, err_msg=what)


def moving(program: Program) -> tuple[Any, list[Any]]:
    """A program as a function of its floating arguments, with floating results alone."""
    args = program.arguments()
    places = [k for k, a in enumerate(args) if inexact(a)]

    def f(*values: Any) -> list[Any]:
        full = list(args)
        for k, value in zip(places, values, strict=True):
            full[k] = value
        return [jnp.asarray(o) for o in tree_util.tree_leaves(program(*full)) if inexact(o)]

    return f, [args[k] for k in places]


def inexact(x: Any) -> bool:
    return isinstance(x, adlib.Array) and jnp.issubdtype(x.dtype, jnp.inexact)


def directions(like: list[Any], seed: int) -> list[Any]:
    rng = np.random.default_rng(seed)
    found = []
    for x in like:
        value = rng.standard_normal(x.shape)
        if jnp.issubdtype(x.dtype, jnp.complexfloating):
            value = value + 1j * rng.standard_normal(x.shape)
        found.append(jnp.asarray(value, x.dtype))
    return found


def difference(f: Any, args: list[Any], vs: list[Any]) -> list[np.ndarray]:
    """Derivative of ``f`` along ``vs``: central differences of fourth order."""

    def at(h: float) -> list[np.ndarray]:
        return leaves(f(*[a + h * v for a, v in zip(args, vs, strict=True)]))

    rows = zip(at(2 * STEP), at(STEP), at(-STEP), at(-2 * STEP), strict=True)
    return [(8 * (p - m) - (pp - mm)) / (12 * STEP) for pp, p, m, mm in rows]


def inner(xs: Any, ys: Any) -> float:
    """``Re sum x * y``: transposes do not conjugate."""
    pairs = zip(leaves(xs), leaves(ys), strict=True)
    return float(sum(np.real(np.sum(x * y)) for x, y in pairs))


def pulled(f: Any, cts: list[Any]) -> Any:
    """Cotangents of the arguments, as a function of the arguments."""
    return lambda *xs: list(adlib.vjp(f, *xs)[1](cts))
