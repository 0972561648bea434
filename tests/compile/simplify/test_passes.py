"""Each pass on small programs, with the exact text of what it leaves."""

from pathlib import Path

import numpy as np
import pytest

import adlib
import adlib.numpy as jnp
from adlib import lax
from adlib.compile.simplify import PASSES, Log, simplify
from adlib.compile.simplify.inlining import MOST_COPIED
from adlib.core import check_jaxpr
from adlib.core.array import to_numpy
from adlib.core.program import run
from adlib.custom_derivatives import linear_call

V = np.arange(1.0, 4.0, dtype=np.float32)
M = np.arange(6.0, dtype=np.float32).reshape(2, 3)
I3 = np.eye(3, dtype=np.float32)
B = np.array([True, False, True])


@pytest.fixture(autouse=True)
def reference_executor():
    """Values are compared to the bit, so that both programs run with the same kernels."""
    with adlib.config.override(jit_backend="python"):
        yield


def after(names, f, *args):
    """The program after the named passes, in order, checked against the program before."""
    args = [jnp.asarray(a) for a in args]
    closed = adlib.make_jaxpr(f)(*args)
    wanted = run(closed, args)
    log = Log()
    for name in names.split(", "):
        closed = PASSES[name](closed, log)
        check_jaxpr(closed.jaxpr)
    for value, expected in zip(run(closed, args), wanted, strict=True):
        np.testing.assert_array_equal(to_numpy(value), to_numpy(expected))
        assert np.array_equal(np.signbit(to_numpy(value)), np.signbit(to_numpy(expected)))
    return closed, log


CASES = {
    # ------------------------------------------------------------------- algebra
    "x · 1": ("algebra", lambda x: x * 1.0, V),
    "x + 0 is kept: -0.0 + 0.0 is 0.0": ("algebra", lambda x: x + 0.0, -V * 0),
    "x + (-0.0)": ("algebra", lambda x: x + (-0.0), -V * 0),
    "x - 0": ("algebra", lambda x: x - 0.0, -V * 0),
    "integers + 0": ("algebra", lambda x: x + 0, np.arange(3)),
    "x · 0 is kept: it may be NaN": ("algebra", lambda x: x * 0.0, V),
    "x - x is kept: it may be NaN": ("algebra", lambda x: x - x, V),
    "x · (-1)": ("algebra", lambda x: x * -1.0, V),
    "-(-x)": ("algebra", lambda x: jnp.negative(jnp.negative(x)), V),
    "x + (-y)": ("algebra", lambda x: x + (-jnp.sin(x)), V),
    "(-x) · (-y)": ("algebra", lambda x: (-x) * (-jnp.sin(x)), V),
    "(-x) · c": ("algebra", lambda x: (-x) * 3.0, V),
    "x / 4": ("algebra", lambda x: x / 4.0, V),
    "x / 3 is kept: 1/3 is not a number": ("algebra", lambda x: x / 3.0, V),
    "even power of -x": ("algebra", lambda x: (-x) ** 2, V),
    "max of x and x": ("algebra", lambda x: jnp.maximum(x, x), V),
    "not not": ("algebra", lambda x: ~(~x), B),
    "select by a constant": ("algebra", lambda x: lax.select_n(np.bool_(True), x, 2 * x), V),
    "select by not": ("algebra", lambda p, x: jnp.where(~p, x, 2 * x), B, V),
    "select of one": ("algebra", lambda p, x: jnp.where(p, x, x), B, V),
    "there and back": (
        "algebra",
        lambda x: lax.convert_element_type(lax.convert_element_type(x, "int32"), "int8"),
        np.int8([1, 2]),
    ),
    "a lossy conversion is kept": (
        "algebra",
        lambda x: lax.convert_element_type(lax.convert_element_type(x, "float16"), "float32"),
        V,
    ),
    "real part": ("algebra", lambda x: jnp.real(lax.complex(x, 2 * x)), V),
    # -------------------------------------------------------------------- shapes
    "two transposes": ("shapes", lambda x: lax.transpose(x.T, (1, 0)), M),
    "transpose of a column": ("shapes", lambda x: lax.transpose(x[:, :1], (1, 0)), M),
    "two reshapes": ("shapes", lambda x: x.reshape(3, 2).reshape(6), M),
    "reshape and back": ("shapes", lambda x: x.reshape(3, 2).reshape(2, 3), M),
    "expand and squeeze": ("shapes", lambda x: lax.squeeze(x[None], (0,)), V),
    "two broadcasts": (
        "shapes",
        lambda x: lax.broadcast_in_dim(lax.broadcast_in_dim(x, (2, 3), (1,)), (4, 2, 3), (1, 2)),
        V,
    ),
    "transposed broadcast": ("shapes", lambda x: lax.broadcast_in_dim(x, (2, 3), (1,)).T, V),
    "two slices": ("shapes", lambda x: x[1:6][::2], np.arange(7)),
    "whole slice": ("shapes", lambda x: lax.slice(x, (0,), (3,)), V),
    "slice of a concatenation": (
        "shapes",
        lambda x: lax.slice(jnp.concatenate([x, 2 * x]), (3,), (6,)),
        V,
    ),
    "slice of padding": (
        "shapes",
        lambda x: lax.slice(lax.pad(x, 0.0, [(2, 1, 0)]), (2,), (5,)),
        V,
    ),
    "rev twice": ("shapes", lambda x: lax.rev(lax.rev(x, (0,)), (0,)), V),
    "stack and unstack": ("shapes", lambda x: jnp.unstack(jnp.stack([x, 2 * x])), V),
    "constant index": ("shapes", lambda x: lax.dynamic_slice(x, (7,), (2,)), V),
    "broadcast number": ("shapes", lambda x: x * jnp.full((3,), 2.0, x.dtype), V),
    "two numbers, one broadcast": (
        "shapes, remove dead code",
        lambda x, y: lax.div(lax.broadcast_in_dim(x[0], (3,), ()), y),
        V,
        np.float32(2.0),
    ),
    "sum over size 1": ("shapes", lambda x: jnp.sum(x[None], axis=0), V),
    "scaled transpose": ("shapes, remove dead code", lambda x: 2.0 * x.T, M),
    "function of a broadcast": (
        "shapes, remove dead code",
        lambda x: jnp.exp(lax.broadcast_in_dim(x, (2, 3), (1,))),
        V,
    ),
    # ------------------------------------------------------------------ products
    "transposed operand": ("matrix products", lambda x, y: x.T @ y, M, M),
    "identity on the left": ("matrix products", lambda x: jnp.asarray(I3) @ x, V),
    "identity on the right": ("matrix products", lambda x: x @ jnp.asarray(I3), M),
    "identity of iotas": (
        "algebra, matrix products, remove dead code",
        lambda x: x @ jnp.eye(3),
        M,
    ),
    "zeros": ("matrix products, remove dead code", lambda x: x @ jnp.zeros((3, 2), x.dtype), M),
    "product with a number": (
        "matrix products",
        lambda x: lax.dot_general(2.0, x, (((), ()), ((), ()))),
        V,
    ),
    "scaled transpose of a product": (
        "shapes, matrix products, remove dead code",
        lambda x, y: 2.0 * (x @ y).T,
        M,
        M.T,
    ),
    "transposed product": ("matrix products, remove dead code", lambda x, y: (x @ y).T, M, M.T),
    "operand with axes of size 1": (
        "matrix products, remove dead code",
        lambda x, y: jnp.tensordot(x[:, None, :], y, 1),
        M,
        M.T,
    ),
    # ----------------------------------------------------------------- diagonals
    "basis of matrices": (
        "diagonal matrices, remove dead code",
        lambda x, y: jnp.tensordot(jnp.asarray(np.eye(6, dtype=np.float32).reshape(6, 2, 3)) * x,
                                   y, 2),
        M,
        M,
    ),
    "diagonal plus outer product": (
        "diagonal matrices, remove dead code",
        lambda x, y: ((jnp.asarray(I3) * x) - jnp.outer(x, x)) @ y,
        V,
        np.ones((3, 2), np.float32),
    ),
    "diagonal plus rows": (
        "diagonal matrices, remove dead code",
        lambda x, y: y @ (((jnp.asarray(I3) * x) + x) * x[:, None]),
        V,
        M,
    ),
    "diagonal matrix": (
        "diagonal matrices, remove dead code",
        lambda x: (jnp.asarray(I3) * jnp.sin(x)) * (2.0 * x),
        V,
    ),
    "sum of a diagonal matrix": (
        "diagonal matrices, remove dead code",
        lambda x: jnp.sum(jnp.asarray(I3) * jnp.sin(x), axis=1),
        V,
    ),
    "product with a diagonal matrix": (
        "diagonal matrices, remove dead code",
        lambda x, y: y @ (jnp.asarray(I3) * x),
        V,
        M,
    ),
    # ------------------------------------------------------------ other equations
    "common equations": ("merge common equations", lambda x: jnp.sin(x) * jnp.sin(x), V),
    "commuted": ("merge common equations", lambda x, y: (x * y) - (y * x), V, V),
    "0.0 is not -0.0": ("merge common equations", lambda x: (x * 0.0, x * -0.0), V),
    "constants": (
        "fold constants, remove dead code",
        lambda x: x * jnp.sum(jnp.sin(jnp.asarray(V)) * 2),
        V,
    ),
    "dead code": ("remove dead code", lambda x: (jnp.sin(x), jnp.cos(x))[0], V),
    "calls": ("inline calls", lambda x: adlib.jit(lambda y: adlib.jit(jnp.sin)(y) + y)(x), V),
    "custom rules": ("inline calls", lambda x: adlib.nn.relu(x), V),
    # ------------------------------------------------------- programs in equations
    "known branch": (
        "fold constants, branches, remove dead code",
        lambda x: lax.switch(np.int32(1), [jnp.sin, jnp.cos], x),
        V,
    ),
    "unused result of a branch": (
        "branches",
        lambda x: lax.cond(x[0] > 0, lambda y: (y, 2 * y), lambda y: (3 * y, y), x)[0],
        V,
    ),
    "invariant of a scan": (
        "loops, remove dead code",
        lambda x, y: lax.scan(lambda c, v: (c * jnp.sin(y) + v, None), y[0] * 0 + y, x)[0],
        M,
        V,
    ),
    "sum of products in a scan": (
        "sums of loops, remove dead code",
        lambda x, y: lax.scan(
            lambda c, v: (c + jnp.tensordot(v[0] * v[0], v[1], 0), None), jnp.ones((3, 3)), (x, y)
        )[0],
        M,
        M,
    ),
    "dead carry of a scan": (
        "loops",
        lambda x: lax.scan(lambda c, v: ((c[0] + v, c[1] * v), c[0]), (x[0], x[1]), x)[1],
        V,
    ),
    "fixed carry of a while": (
        "loops",
        lambda x: lax.while_loop(lambda s: s[0] < s[2], lambda s: (s[0] + 1, s[1] * 2, s[2]),
                                 (0, x, 3))[1],
        V,
    ),
}  # fmt: skip


def expected():
    """The blocks of passes.txt by name, each a line ``## name`` and a program."""
    text = (Path(__file__).parent / "passes.txt").read_text()
    blocks = [block.split("\n", 1) for block in text.split("## ")[1:]]
    return {name: program for name, program in blocks}


@pytest.mark.parametrize("name", CASES)
def test_text(name):
    passes, f, *args = CASES[name]
    closed, _ = after(passes, f, *args)
    assert str(closed).split() == expected()[name].split(), f"\n{closed}"


def test_every_case_has_a_text_and_every_text_a_case():
    assert list(expected()) == list(CASES)


def words(name):
    passes, f, *args = CASES[name]
    _, log = after(passes, f, *args)
    return [event.what for event in log.events]


def test_events_say_what_happened():
    assert words("x · 1") == ["removed: x · 1 is x"]
    assert words("x / 4") == [
        "rewritten: division by a power of two is multiplication by its inverse"
    ]
    assert words("common equations") == ["merged with an equation that computes the same"]
    assert words("calls")[0] == "replaced by the 2 equations of the program it calls"
    assert words("calls")[1] == "replaced by the equation of the program it calls"
    assert words("invariant of a scan")[0] == "simplified: 1 equation left its body"
    assert words("dead carry of a scan")[0] == (
        "simplified: 1 equation left its body, 1 carry was not needed"
    )
    assert words("unused result of a branch") == [
        "narrowed: 1 result and 0 operands are not needed"
    ]


def test_a_checkpoint_is_not_merged_with_the_forward_pass():
    f = adlib.checkpoint(lambda x: jnp.sum(jnp.sin(jnp.sin(x))))
    closed = adlib.make_jaxpr(adlib.grad(f))(jnp.asarray(V))
    names = [e.primitive.name for e in simplify(closed).eqns]
    assert names.count("optimization_barrier") == 1
    eager = adlib.make_jaxpr(adlib.grad(adlib.checkpoint(jnp.sin, prevent_cse=False)))(1.0)
    assert "optimization_barrier" not in str(simplify(eager))


def test_calls_with_rules_of_their_own_are_what_they_compute():
    scale = jnp.float32(3)

    @adlib.custom_batching.custom_vmap
    def twice(x):
        return x * 2

    @twice.def_vmap
    def batched(axis_size, in_batched, x):
        return x + x, in_batched[0]

    divide = lambda x, y: linear_call(lambda r, l: l / r, lambda r, c: c / r, y, x)  # noqa: E731, E741

    def f(x, y):
        return twice(x) * scale + divide(x, y)

    closed = adlib.make_jaxpr(f)(jnp.asarray(V), jnp.asarray(V) + 5)
    assert {"custom_vmap_call", "linear_call"} <= {e.primitive.name for e in closed.eqns}
    names = {e.primitive.name for e in simplify(closed).eqns}
    assert names <= {"mul", "add", "div", "convert_element_type"}, names


def test_of_a_custom_root_its_solver_is_left():
    def root(x):
        return lax.custom_root(
            lambda y: y * y - x, 1.0, lambda f, y: y - f(y) / 2.0, lambda g, y: y / g(1.0)
        )

    closed = adlib.make_jaxpr(root)(2.0)
    assert [e.primitive.name for e in closed.eqns] == ["custom_root"]
    assert "custom_root" not in {e.primitive.name for e in simplify(closed).eqns}


def test_long_programs_that_are_called_twice_stay_calls():
    @adlib.jit
    def long(x):
        for _ in range(MOST_COPIED + 1):
            x = jnp.sin(x)
        return x, x * 2

    closed = adlib.make_jaxpr(lambda x: long(long(x)[0])[0])(1.0)
    simple = simplify(closed)
    assert [e.primitive.name for e in simple.eqns] == ["jit", "jit"]
    first, second = (e.params["jaxpr"] for e in simple.eqns)
    assert first is second and len(first.out_avals) == 1


def test_doubling_calls_do_not_grow_without_bound():
    def f(x):
        return jnp.sin(x) + 1.0

    for _ in range(24):  # 2**24 equations, if all were copied
        f = adlib.jit(lambda x, f=f: f(f(x)))
    assert len(simplify(adlib.make_jaxpr(f)(1.0)).eqns) <= 2 * MOST_COPIED


def test_a_checked_constant_is_looked_at_once():
    """A large identity matrix that is used often costs its size once, not at each use."""
    eye = jnp.eye(300)

    def f(x):
        for _ in range(50):
            x = eye @ x
        return x

    closed = adlib.make_jaxpr(f)(jnp.ones(300))
    assert simplify(closed).eqns == []
