"""Collectives over the named axes of vmap; values and types are those of JAX 0.10.2."""

import numpy as np
import pytest

import adlib
import adlib.numpy as jnp
from adlib import grad, jit, lax, vmap
from tests.support import check_everywhere

x, i, m = jnp.arange(1.0, 4.0), jnp.arange(3), jnp.arange(6.0).reshape(2, 3)


def along(f):
    return vmap(f, axis_name="i")


def both(f):
    """Over columns ("i") within rows ("j") of a matrix."""
    return vmap(vmap(f, axis_name="i"), axis_name="j")


# name: (mapped function, argument, values, dtype, weak type)
VALUES = {
    "psum": (along(lambda v: lax.psum(v, "i")), x, [6, 6, 6], "float32", False),
    "psum of bools": (along(lambda v: lax.psum(v > 1, "i")), x, [2, 2, 2], "int32", False),
    "psum of one": (along(lambda v: lax.psum(1, "i")), x, [3, 3, 3], "int32", True),
    "psum of a float": (along(lambda v: lax.psum(2.0, "i")), x, [6, 6, 6], "float32", True),
    "psum of a constant": (along(lambda v: lax.psum(x[1], "i")), x, [6, 6, 6], "float32", False),
    "share": (along(lambda v: v / lax.psum(v, "i")), i, [0, 1 / 3, 2 / 3], "float32", False),
    "pmean": (along(lambda v: lax.pmean(v, "i")), x, [2, 2, 2], "float32", False),
    "pmean of ints": (along(lambda v: lax.pmean(v, "i")), i + 1, [2, 2, 2], "float32", False),
    "pmean of bools": (along(lambda v: lax.pmean(v > 1, "i")), x, [2 / 3] * 3, "float32", False),
    "pmean of a number": (along(lambda v: lax.pmean(1.0, "i")), x, [1, 1, 1], "float32", True),
    "pmax": (along(lambda v: lax.pmax(v, "i")), i, [2, 2, 2], "int32", False),
    "pmin": (along(lambda v: lax.pmin(v, "i")), x, [1, 1, 1], "float32", False),
    "axis_index": (along(lambda v: lax.axis_index("i")), x, [0, 1, 2], "int32", False),
    "axis_size": (along(lambda v: lax.axis_size("i") * v), x, [3, 6, 9], "float32", False),
    "all_gather": (along(lambda v: lax.all_gather(v, "i")), x, [[1, 2, 3]] * 3, "float32", False),
    "all_gather along 1": (
        along(lambda v: lax.all_gather(v, "i", axis=1)), m.T,
        [[[0, 1, 2], [3, 4, 5]]] * 3, "float32", False),
    "all_gather, joined": (
        along(lambda v: lax.all_gather(v, "i", tiled=True)), m,
        [[0, 1, 2, 3, 4, 5]] * 2, "float32", False),
    "all_gather of a constant": (
        along(lambda v: lax.all_gather(2.0, "i")), x, [[2] * 3] * 3, "float32", True),
    "two axes": (both(lambda v: lax.psum(v, ("i", "j"))), m, [[15] * 3] * 2, "float32", False),
    "the outer axis": (both(lambda v: lax.psum(v, "j")), m, [[3, 5, 7]] * 2, "float32", False),
    "two indices": (
        both(lambda v: lax.axis_index("i") + 10 * lax.axis_index("j")), m,
        [[0, 1, 2], [10, 11, 12]], "int32", False),
    "outer all_gather": (
        both(lambda v: lax.all_gather(v, "j")), m,
        [[[0, 3], [1, 4], [2, 5]]] * 2, "float32", False),
    "in scan": (
        along(lambda v: lax.scan(lambda c, _: (lax.psum(c, "i"), None), v, None, length=2)[0]), x,
        [18, 18, 18], "float32", False),
    "in cond": (
        along(lambda v: lax.cond(True, lambda w: lax.psum(w, "i"), lambda w: w, v)), x,
        [6, 6, 6], "float32", False),
    "in checkpoint": (
        along(adlib.checkpoint(lambda v: lax.psum(v, "i"))), x, [6, 6, 6], "float32", False),
    "in jit": (along(jit(lambda v: lax.psum(v, "i"))), x, [6, 6, 6], "float32", False),
}  # fmt: skip


@pytest.mark.parametrize("name", VALUES)
def test_values(name):
    f, arg, values, dtype, weak = VALUES[name]
    for run in (f, f, jit(f), jit(f)):
        out = run(arg)
        np.testing.assert_allclose(out, values, rtol=1e-6)
        assert (out.dtype.name, out.weak_type) == (dtype, weak)


DERIVATIVES = {
    "psum": along(lambda v: v / lax.psum(v * v, "i")),
    "pmean": along(lambda v: jnp.sin(v) * lax.pmean(v**2, "i")),
    "pmax": along(lambda v: v * lax.pmax(v**2, "i")),
    "all_gather": along(lambda v: jnp.sum(lax.all_gather(v * v, "i")) * v),
    "within grad of an example": along(grad(lambda v: lax.psum(v**3, "i") * v)),
    "scan": along(
        lambda v: lax.scan(lambda c, _: (lax.psum(c, "i") * v, None), v, None, length=2)[0]
    ),
}


@pytest.mark.parametrize("name", DERIVATIVES)
def test_under_every_transformation(name):
    with adlib.enable_x64():
        check_everywhere(DERIVATIVES[name], (np.array([0.5, 1.5, -1.0]),))


def test_examples_see_the_gradient_of_their_own_share():
    # as JAX has it: the transpose of psum is psum
    got = along(grad(lambda v: lax.psum(v * v, "i")))(x)
    np.testing.assert_allclose(got, 6 * x)


@pytest.mark.parametrize("act", [
    lambda: lax.psum(x, "k"), lambda: lax.axis_index("k"), lambda: lax.pmean(x, ("k",)),
    lambda: lax.all_gather(x, "k"), lambda: along(lambda v: lax.pmax(v, "k"))(x),
    lambda: jit(lambda v: lax.psum(v, "k"))(x), lambda: lax.axis_size("k"),
])  # fmt: skip
def test_axes_that_nobody_named(act):
    with pytest.raises(NameError) as caught:
        act()
    assert "unbound axis name: 'k'" in str(caught.value)
    assert "vmap(..., axis_name='k')" in str(caught.value)
