"""Every family of functions under jit and vmap: the same numbers as without."""

import numpy as np
import pytest

import adlib
import adlib.numpy as jnp

rng = np.random.default_rng(11)
STACK = jnp.array(rng.standard_normal((3, 4, 4)), jnp.float32)
INTS = jnp.array(rng.integers(0, 5, (3, 4, 4)))

FLOAT_FUNCTIONS = {
    "arithmetic": lambda x: x**2 / (x + 5) - x // 0.7 + x % 0.3 + 2**x,
    "ufuncs": lambda x: jnp.hypot(x, 1) + jnp.arctan2(x, 2) + jnp.logaddexp(x, 0) + jnp.sinc(x),
    "parts": lambda x: jnp.stack([*jnp.modf(x), jnp.frexp(x)[0], jnp.sign(x), jnp.signbit(x)]),
    "rounding": lambda x: jnp.round(x, 1) + jnp.floor(x) + jnp.trunc(x) + jnp.rint(x),
    "where": lambda x: jnp.where(x > 0, x, -1.0) + jnp.clip(x, -0.5, 0.5),
    "select": lambda x: jnp.select([x < -0.5, x < 0.5], [x, 2 * x], 9),
    "piecewise": lambda x: jnp.piecewise(x, [x < 0], [jnp.exp, jnp.cos]),
    "sums": lambda x: x.sum(0) + x.mean(1) + x.max() + x.std(0, ddof=1) + x.prod(1),
    "quantiles": lambda x: jnp.quantile(x, jnp.array([0.1, 0.6]), axis=0) + jnp.median(x),
    "nan": lambda x: jnp.nanmean(jnp.where(x > 1, jnp.nan, x), 0) + jnp.nanmax(x, 1),
    "argmax": lambda x: x.argmax(0) + x.argmin(1) + jnp.argmax(x),
    "running": lambda x: jnp.cumsum(x, 0) + jnp.cumprod(x, 1) + jnp.diff(x, prepend=x[:, :1]),
    "order": lambda x: jnp.sort(x, 0) + jnp.argsort(x) + jnp.partition(x, 1),
    "descending": lambda x: jnp.sort(x, descending=True) + jnp.argsort(x, 0, descending=True),
    "search": lambda x: (
        jnp.searchsorted(jnp.sort(x[0]), x) + jnp.digitize(x, jnp.array([-1, 0, 1]))
    ),
    "lexsort": lambda x: jnp.lexsort((x[0], jnp.round(x[1]))),
    "histogram": lambda x: jnp.histogram(x, 5)[0],
    "indices": lambda x: jnp.take(x, jnp.array([3, 0, 9]), 1, fill_value=0.0) + x[::2, :1].sum(),
    "along": lambda x: jnp.take_along_axis(x, jnp.argsort(x, 1), 1),
    "updates": lambda x: x.at[1].set(0.0).at[:, 2].add(x[0]).at[jnp.array([0, 0])].multiply(2.0),
    "nonzero": lambda x: jnp.stack(jnp.nonzero(x > 0.5, size=9)),
    "unique": lambda x: jnp.unique(jnp.round(x), size=6, fill_value=99),
    "shapes": lambda x: jnp.roll(jnp.flip(x, 0), 1, 1).T.reshape(2, 8)[:, ::3],
    "joins": lambda x: jnp.vstack([x, x[0]]).sum(0) + jnp.hstack([x, x])[0, :4] + jnp.block([x])[1],
    "repeats": lambda x: jnp.tile(x, (1, 2)) + jnp.repeat(x, 2, 1),
    "splits": lambda x: jnp.split(x, [1, 3], 1)[1] + jnp.array_split(x, 3, 1)[0],
    "reflect": lambda x: jnp.pad(x, ((1, 2), (0, 5)), "reflect"),
    "statistic": lambda x: jnp.pad(x, 2, "mean") + jnp.pad(x, 2, "linear_ramp"),
    "matrices": lambda x: jnp.tril(x) + jnp.diag(jnp.diagonal(x)) + jnp.trace(x) + jnp.eye(4),
    "products": lambda x: x @ x + jnp.outer(x[0], x[1]) + jnp.kron(x[:2, :2], x[2:, 2:]),
    "einsum": lambda x: jnp.einsum("ij,jk,kl->li", x, x, x) + jnp.einsum("ii->i", x),
    "tensordot": lambda x: jnp.tensordot(x, x, ((0,), (1,))) + jnp.inner(x, x) + jnp.vdot(x, x),
    "cross": lambda x: jnp.cross(x[:, :3], x[:, 1:]),
    "ranges": lambda x: jnp.linspace(x[0], x[1], 5) + jnp.linspace(0, x[2], 5, endpoint=False),
    "grids": lambda x: sum(jnp.meshgrid(x[0], x[1], indexing="ij")) + jnp.vander(x[0]),
    "signals": lambda x: jnp.convolve(x[0], x[1], "same") + jnp.interp(x[2], jnp.sort(x[3]), x[0]),
    "gradient": lambda x: jnp.gradient(x)[0] + jnp.trapezoid(x) + jnp.unwrap(x * 3),
    "covariance": lambda x: jnp.cov(x) + jnp.corrcoef(x),
    "polynomials": lambda x: jnp.polyval(x[0], x[1]) + jnp.polymul(x[0], x[1])[:4],
    "vectorize": lambda x: jnp.vectorize(jnp.dot, signature="(n),(n)->()")(x, x[0]),
    "apply": lambda x: jnp.apply_along_axis(lambda v: v[::-1] * v.sum(), 0, x),
    "array": lambda x: jnp.array([[x[0, 0], 1.0], [2, x[1, 1]]]),
    "astype": lambda x: x.astype(int) + x.view(jnp.int32) % 7,
}
INT_FUNCTIONS = {
    "arithmetic": lambda x: x // 3 + x % 3 - x**2 + (x + 1) ** x + jnp.fmod(-x, 3),
    "divisors": lambda x: jnp.gcd(x, 6) + jnp.lcm(x + 1, 4),
    "bits": lambda x: (x << 2 | x >> 1) ^ (x & 3) + ~x + jnp.bitwise_count(x),
    "bytes": lambda x: jnp.unpackbits(jnp.packbits(x > 2)),
    "counts": lambda x: jnp.bincount(x.ravel(), length=5),
    "sets": lambda x: jnp.isin(x, jnp.array([1, 4])),
    "multi-index": lambda x: jnp.stack(jnp.unravel_index(x, (2, 3))),
    "choose": lambda x: jnp.choose(x, [x, 2 * x, 3 * x], mode="clip"),
    "repeat": lambda x: jnp.repeat(x, x[0, 0], axis=0, total_repeat_length=5),
    "roll": lambda x: jnp.roll(x, x[0, 0], axis=1),
}
CASES = [(f, STACK) for f in FLOAT_FUNCTIONS.values()] + [(f, INTS) for f in INT_FUNCTIONS.values()]
NAMES = [*FLOAT_FUNCTIONS, *(f"int-{n}" for n in INT_FUNCTIONS)]


def same(found, wanted):
    assert found.shape == wanted.shape and found.dtype == wanted.dtype
    np.testing.assert_allclose(np.asarray(found), np.asarray(wanted), rtol=3e-5, atol=3e-5)


@pytest.mark.parametrize(("function", "xs"), CASES, ids=NAMES)
def test_jit(function, xs):
    same(adlib.jit(function)(xs[0]), function(xs[0]))


@pytest.mark.parametrize(("function", "xs"), CASES, ids=NAMES)
def test_vmap(function, xs):
    wanted = jnp.stack([function(x) for x in xs])
    same(adlib.vmap(function)(xs), wanted)
    same(
        adlib.jit(adlib.vmap(function, in_axes=2, out_axes=-1))(jnp.moveaxis(xs, 0, 2)),
        jnp.moveaxis(wanted, 0, -1),
    )


@pytest.mark.parametrize("name", FLOAT_FUNCTIONS)
def test_jvp_and_vjp_agree(name):
    function = FLOAT_FUNCTIONS[name]
    x, t = STACK[0], STACK[1]
    if not jnp.issubdtype(adlib.eval_shape(function, x).dtype, jnp.floating):
        return
    out, pushed = adlib.jvp(function, (x,), (t,))
    ct = jnp.cos(jnp.arange(out.size, dtype=out.dtype)).reshape(out.shape)
    (pulled,) = adlib.vjp(function, x)[1](ct)
    np.testing.assert_allclose(jnp.vdot(ct, pushed), jnp.vdot(pulled, t), rtol=2e-3, atol=2e-3)
