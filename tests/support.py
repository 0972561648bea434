"""What tests of transformations share: one function checked under all of them."""

import numpy as np

import adlib
from adlib import tree_util


def leaves(tree):
    return [np.asarray(x) for x in tree_util.tree_leaves(tree)]


def assert_close(a, b, rtol=1e-6, atol=1e-7, what=""):
    """Equal structures with close leaves."""
    left, right = leaves(a), leaves(b)
    assert len(left) == len(right), what
    for x, y in zip(left, right, strict=True):
        assert x.shape == y.shape, f"{what}: shapes {x.shape} and {y.shape}"
        np.testing.assert_allclose(x, y, rtol=rtol, atol=atol, err_msg=what)


def numerical_jvp(f, args, tangents, eps=1e-6):
    """Central difference of a function of arrays along tangents (float64)."""
    plus = leaves(f(*[a + eps * t for a, t in zip(args, tangents, strict=True)]))
    minus = leaves(f(*[a - eps * t for a, t in zip(args, tangents, strict=True)]))
    return [(p - m) / (2 * eps) for p, m in zip(plus, minus, strict=True)]


def tangents_for(args, seed):
    rng = np.random.default_rng(seed)
    return tuple(adlib.numpy.asarray(rng.standard_normal(np.shape(a))) for a in args)


def check_values(f, args):
    """jit, vmap of every subset of arguments, and checkpoint give what f gives."""
    want = f(*args)
    for _ in range(2):
        assert_close(adlib.jit(f)(*args), want, what="jit")
    assert_close(adlib.checkpoint(f)(*args), want, what="checkpoint")
    for which in range(1, 2 ** len(args)):
        mapped = [bool(which >> i & 1) for i in range(len(args))]
        scales = np.array([1.0, 0.7, 1.3])
        stacked = [
            adlib.numpy.stack([a * s for s in scales]) if m else a
            for a, m in zip(args, mapped, strict=True)
        ]
        axes = tuple(0 if m else None for m in mapped)
        got = adlib.vmap(f, in_axes=axes)(*stacked)
        rows = [f(*[a * s if m else a for a, m in zip(args, mapped, strict=True)]) for s in scales]
        loop = [np.stack(column) for column in zip(*map(leaves, rows), strict=True)]
        assert_close(leaves(got), loop, what=f"vmap {axes}")
        assert_close(leaves(adlib.jit(adlib.vmap(f, in_axes=axes))(*stacked)), loop)


def check_derivatives(f, args, modes=("fwd", "rev"), order=2, rtol=1e-5, atol=1e-6):
    """Both modes against differences and each other, under jit and vmap, and once more."""
    tangents = tangents_for(args, 0)
    pushed = adlib.jvp(f, args, tangents)
    assert_close(pushed[0], f(*args), what="jvp primal")
    assert_close(leaves(pushed[1]), numerical_jvp(f, args, tangents), rtol, atol, "jvp")
    assert_close(adlib.jit(lambda *a: adlib.jvp(f, a, tangents))(*args), pushed, what="jit jvp")
    y, linear = adlib.linearize(f, *args)
    assert_close(y, pushed[0])
    assert_close(linear(*tangents), pushed[1], what="linearize")
    assert_close(adlib.jit(linear)(*tangents), pushed[1], what="jit of linearized")
    if "rev" in modes:
        y, pullback = adlib.vjp(f, *args)
        cts = tree_util.tree_map(lambda v: v * 0 + 0.5, y)
        back = pullback(cts)
        there = sum(np.vdot(c, t) for c, t in zip(leaves(cts), leaves(pushed[1]), strict=True))
        again = sum(np.vdot(b, t) for b, t in zip(leaves(back), leaves(tangents), strict=True))
        np.testing.assert_allclose(there, again, rtol=rtol, atol=atol, err_msg="<Jv, w> = <v, Jw>")
        assert_close(adlib.jit(lambda *a: adlib.vjp(f, *a)[1](cts))(*args), back, what="jit vjp")
        assert_close(pullback(cts), back, what="a pullback may be called again")
        stacked = tree_util.tree_map(lambda c: adlib.numpy.stack([c, 2 * c]), cts)
        doubled = adlib.vmap(pullback)(stacked)
        assert_close([x[1] for x in leaves(doubled)], [2 * x for x in leaves(back)], rtol, atol)
    if order > 1:
        total = lambda *a: sum(adlib.numpy.sum(x) for x in tree_util.tree_leaves(f(*a)))  # noqa: E731
        if "rev" in modes:
            check_derivatives(adlib.grad(total, tuple(range(len(args)))), args, modes, order - 1)
        else:
            forward = lambda *a: adlib.jvp(f, a, tangents)[1]  # noqa: E731
            check_derivatives(forward, args, modes, order - 1)


def check_everywhere(f, args, modes=("fwd", "rev"), order=2):
    """A function of float64 arrays under every transformation."""
    args = tuple(adlib.numpy.asarray(a) for a in args)
    check_values(f, args)
    check_derivatives(f, args, modes, order)
