"""Matrix products by BLAS: what they take along, and that they stay what they were."""

from __future__ import annotations

import numpy as np
import pytest

import adlib
import adlib.numpy as jnp
from adlib import lax
from adlib.base.config import enable_x64
from adlib.compile.native import part_of
from adlib.compile.program import Compiled
from adlib.compile.simplify import simplify
from adlib.compile.steps import Dot, Group
from adlib.core.program import program
from tests.compile.test_every_primitive import same

N = 100
DTYPES = [np.float32, np.float64, np.complex64, np.complex128]


@pytest.fixture(autouse=True)
def _wide():
    with enable_x64(True):
        yield


def random(*shape, dtype=np.float64, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=shape)
    if np.dtype(dtype).kind == "c":
        x = x + 1j * rng.normal(size=shape)
    return x.astype(dtype)


def agree(f, *args, factor=20.0):
    """Compiled as the reference does; the steps."""
    closed = adlib.make_jaxpr(f)(*args)
    compiled = Compiled(closed)
    before = [a.copy() for a in args]
    given = compiled.function(*args)
    same(given, program(closed, np)(*args), factor=factor)
    again = compiled.function(*args)
    assert all(x.tobytes() == y.tobytes() for x, y in zip(given, again, strict=True))
    assert all(np.array_equal(a, b) for a, b in zip(args, before, strict=True))
    return compiled.schedule.steps


def product_of(steps):
    (dot,) = [s for s in steps if isinstance(s, Dot)]
    return dot


# ---------------------------------------------------------------- scales and sums


@pytest.mark.parametrize("dtype", DTYPES)
def test_scales_are_part_of_products(dtype):
    x, y = random(N, 30, dtype=dtype), random(30, N + 1, dtype=dtype)
    (dot,) = agree(lambda x, y: -(x @ y) * 0.5 * 3, x, y)
    assert dot.scale == -1.5 and dot.onto is None


@pytest.mark.parametrize("dtype", DTYPES)
def test_products_are_added_to_arrays(dtype):
    w, x, y = random(N, N, dtype=dtype), random(40, N, dtype=dtype), random(40, N, dtype=dtype)
    (dot,) = agree(lambda w, x, y: w - 0.1 * (x.T @ y), w, x, y)
    assert dot.scale == pytest.approx(-0.1) and dot.onto is not None
    (dot,) = agree(lambda w, x, y: 2.0 * (x.T @ y) + w, w, x, y)
    assert dot.scale == 2.0 and dot.onto is not None


def test_an_array_minus_is_no_array_plus():
    w, x = random(N, N), random(N, N, seed=1)
    steps = agree(lambda w, x: x @ w - w, w, x)
    assert product_of(steps).onto is None and len(steps) == 2


def test_sums_of_products_accumulate():
    x, y, z = (random(N, N, seed=i) for i in range(3))
    steps = agree(lambda x, y, z: x @ y + 2.0 * (y @ z) - z @ x, x, y, z)
    assert len(steps) == 3 and all(isinstance(s, Dot) for s in steps)
    assert [s.scale for s in steps] == [1.0, 2.0, -1.0]
    assert [s.onto is None for s in steps] == [True, False, False]


def test_batches_of_products_are_added():
    w, x = random(3, N, 50), random(3, N, 40, seed=1)
    y = random(3, 40, 50, seed=2)
    (dot,) = agree(lambda w, x, y: w + x @ y, w, x, y)
    assert dot.onto is not None


def test_a_product_that_others_read_is_itself():
    x = random(N, N)
    steps = agree(lambda x, y: (x @ y, 2.0 * (x @ y)), x, random(N, N, seed=1))
    assert product_of(steps).scale == 1.0 and any(isinstance(s, Group) for s in steps)
    y = random(N, N, seed=1)
    steps = agree(lambda x, y: (lambda p: p + p)(x @ y), x, y)
    assert product_of(steps).scale in (1.0, 2.0)


def test_what_loops_make_goes_on_in_loops():
    """Adding to what a loop computes would write it to memory for nothing."""
    x, y = random(N, N), random(N, N, seed=1)
    steps = agree(lambda x, y: jnp.tanh(x) + x @ y, x, y)
    assert product_of(steps).onto is None


def test_zero_hides_nothing():
    x = random(N, N)
    x[3, 4] = np.nan
    f = adlib.jit(lambda x, y, z: z + (x @ y) * z[0, 0])
    out = np.asarray(f(x, x, np.zeros((N, N))))
    assert np.isnan(out[3]).all()


def test_products_accumulate_in_loops():
    def f(w, xs):
        def step(w, x):
            return w - 0.01 * (x.T @ x), jnp.sum(w)

        return lax.scan(step, w, xs)

    agree(f, random(N, N), random(3, 20, N, seed=1), factor=200)


def test_products_are_added_in_place_to_what_is_donated():
    def step(w, x):
        return w - 0.1 * (x.T @ x)

    w, x = random(N, N), random(20, N, seed=1)
    wanted = w - 0.1 * (x.T @ x)
    donating = adlib.jit(step, donate_argnums=0)
    given = jnp.array(w)
    for _ in range(3):
        given = donating(given, x)
        np.testing.assert_allclose(np.asarray(given), wanted, rtol=1e-12, atol=1e-12)
        wanted = wanted - 0.1 * (x.T @ x)
    compiled = Compiled(adlib.make_jaxpr(step)(w, x), (0,))
    assert list(compiled.taken.values()) == [compiled.schedule.jaxpr.invars[0]]


def test_what_is_donated_and_multiplied_stays_until_then():
    square = jnp.array(random(N, N))
    wanted = np.asarray(square) + np.asarray(square) @ np.asarray(square)
    out = adlib.jit(lambda w: w + w @ w, donate_argnums=0)(square)
    np.testing.assert_allclose(np.asarray(out), wanted, rtol=1e-12)


# ---------------------------------------------------------------- one matrix twice


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("transposed", [False, True])
def test_a_matrix_times_its_transpose(transposed, dtype):
    x = random(*((50, N + 3) if transposed else (N + 3, 50)), dtype=dtype)
    compiled = Compiled(adlib.make_jaxpr(lambda x: x.T @ x if transposed else x @ x.T)(x))
    agree(lambda x: x.T @ x if transposed else x @ x.T, x)
    out = np.asarray(compiled.function(x)[0])
    assert np.array_equal(out, out.T)


def test_batches_and_slices_times_their_transposes():
    x = random(2, N, 40)
    agree(lambda x: 3.0 * jnp.einsum("bij,bkj->bik", x, x), x)
    y = random(N, 60)
    agree(lambda y: y[:, 10:50] @ y[:, 10:50].T, y)
    agree(lambda y: y[:, :40] @ y[:, 20:].T, y)  # two views that are no transposes


def test_hessian_of_squares_is_one_product():
    a, b = random(N, N), random(N)

    def squares(x, a, b):
        return jnp.sum((a @ x - b) ** 2)

    steps = agree(adlib.hessian(squares), random(N, seed=1), a, b)
    (dot,) = steps
    assert dot.scale == 2.0
    (left, first), (right, second) = dot.operands
    assert left is right and first.flipped != second.flipped


# ---------------------------------------------------------------- triangular matrices


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(40, 40), (3, 40, 40)])
def test_triangular_factors(shape, dtype):
    """On either side, as it is and transposed, scaled, with the other as it lies or not."""
    n = shape[-1]
    x, a = random(*shape, dtype=dtype), random(*shape, dtype=dtype, seed=1)
    a = (a @ a.conj().swapaxes(-1, -2) + n * np.eye(n)).astype(dtype)
    wide = random(*shape[:-1], n + 5, dtype=dtype, seed=2)

    def f(a, x, wide):
        factor = lax.linalg.cholesky(a)
        turned = factor.mT
        sides = [factor @ x, turned @ x, x @ factor, x @ turned]
        return [*sides, -2.0 * (factor @ wide), wide.mT @ factor, factor @ x.mT, x + turned @ x.mT]

    compiled = Compiled(adlib.make_jaxpr(f)(a, x, wide))
    steps = agree(f, a, x, wide, factor=50)
    parts = [
        part_of(compiled.schedule, number, "p")
        for number, step in enumerate(compiled.schedule.steps)
        if isinstance(step, Dot)
    ]
    assert len(parts) == sum(isinstance(s, Dot) for s in steps) == 8
    # not where the other operand lies by columns, nor where the product is added to an array
    assert sum(part.triangle >= 0 for part in parts) == 5


# ------------------------------------------------------------------ simplification


def names(f, *args):
    return [e.primitive.name for e in simplify(adlib.make_jaxpr(f)(*args)).eqns]


def test_scales_of_operands_scale_the_product():
    x, y = random(N, N), random(N, N, seed=1)
    assert names(lambda x, y: (2.0 * x) @ (-y), x, y) == ["dot_general", "mul"]
    assert names(lambda x, y: -x @ y, x, y) == ["dot_general", "neg"]
    agree(lambda x, y: (2.0 * x) @ (-y), x, y)


def test_scales_stay_where_moving_them_is_more_work():
    x, y = random(5, 3), random(3, 200, seed=1)
    assert names(lambda x, y: (2.0 * x) @ y, x, y) == ["mul", "dot_general"]


def test_scales_that_could_overflow_stay():
    x, y = random(N, N, dtype=np.float32), random(N, N, dtype=np.float32, seed=1)
    assert names(lambda x, y: (1e-30 * x) @ y, x, y) == ["mul", "dot_general"]
    out = adlib.jit(lambda x, y: (1e-30 * x) @ y)(x * 1e25, y * 1e25)
    assert np.isfinite(np.asarray(out)).all()


def test_sums_over_one_entry_are_no_sums():
    x, y = random(4, 1), random(1, 5)
    closed = simplify(adlib.make_jaxpr(lambda x, y: x @ y)(x, y))
    (dot,) = [e for e in closed.eqns if e.primitive.name == "dot_general"]
    assert dot.params["dimension_numbers"] == (((), ()), ((), ()))
    agree(lambda x, y: x @ y + 1.0, x, y)
    agree(lambda x, y: jnp.einsum("bij,bjk->bik", x, y), random(2, 3, 1), random(2, 1, 4))


def test_transposed_scaled_products_are_products():
    x, y = random(N, 30), random(30, N, seed=1)
    found = names(lambda x, y: (2.0 * (x @ y)).T, x, y)
    assert found == ["dot_general", "mul"]
    agree(lambda x, y: (2.0 * (x @ y)).T, x, y)
