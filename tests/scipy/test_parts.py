"""Transforms, interpolation, iterative solvers, minimization, quantization against SciPy's."""

import numpy as np
import pytest
import scipy.cluster.vq
import scipy.fft
import scipy.interpolate
import scipy.ndimage
import scipy.optimize

import adlib
import adlib.numpy as jnp
from adlib import lax
from adlib.scipy import fft, integrate, interpolate, ndimage, optimize
from adlib.scipy.cluster.vq import vq
from adlib.scipy.sparse import linalg as sparse
from adlib.test_util import check_grads

RNG = np.random.default_rng(0)


@pytest.fixture(autouse=True)
def x64():
    with adlib.enable_x64(True):
        yield


def same(found, wanted, tol=1e-9):
    assert np.shape(found) == np.shape(wanted)
    np.testing.assert_allclose(found, wanted, rtol=tol, atol=tol)


def test_every_part_is_reached_by_attribute():
    assert adlib.scipy.fft is fft and adlib.scipy.cluster.vq.vq is vq
    assert {"linalg", "stats", "signal"} <= set(dir(adlib.scipy))
    with pytest.raises(AttributeError, match="no attribute 'spatial'"):
        adlib.scipy.spatial  # noqa: B018


# ---------------------------------------------------------------- fft, integrate


@pytest.mark.parametrize("kind", [1, 2, 3, 4])
@pytest.mark.parametrize("norm", [None, "ortho", "forward", "backward"])
def test_cosine_transforms(kind, norm):
    for x in (RNG.normal(size=(3, 6)), RNG.normal(size=(3, 5))):
        for name in ("dct", "idct"):
            ours, theirs = getattr(fft, name), getattr(scipy.fft, name)
            same(ours(x, kind, norm=norm), theirs(x, kind, norm=norm))
            same(ours(x, kind, 4, 0, norm), theirs(x, kind, 4, 0, norm))
            same(ours(x, kind, 3, -1, norm), theirs(x, kind, 3, -1, norm))
        for name in ("dctn", "idctn"):
            ours, theirs = getattr(fft, name), getattr(scipy.fft, name)
            same(ours(x, kind, norm=norm), theirs(x, kind, norm=norm))
            same(ours(x, kind, (4, 4), (0, 1), norm), theirs(x, kind, (4, 4), (0, 1), norm))
    check_grads(lambda x: fft.dct(x, kind, norm=norm), (x,), order=1)


def test_errors_of_cosine_transforms():
    for call, message in (
        (lambda: fft.dct(np.ones(3), 5), "type 1, 2, 3 or 4; it was given 5"),
        (lambda: fft.dct(np.ones(3), norm="unit"), "it was given 'unit'"),
        (lambda: fft.dct(np.ones(1), 1), "2 elements or more"),
        (lambda: fft.dctn(np.ones((3, 3)), s=(2,), axes=(0, 1)), "as many lengths as axes"),
    ):
        with pytest.raises(ValueError, match=message):
            call()


def test_trapezoid():
    y, x = RNG.normal(size=(3, 5)), np.sort(RNG.normal(size=5))
    same(integrate.trapezoid(y, x), np.trapezoid(y, x))
    same(integrate.trapezoid(y, dx=0.5, axis=0), np.trapezoid(y, dx=0.5, axis=0))


# ---------------------------------------------------------------- interpolation

IMAGE = RNG.normal(size=(4, 5))
PLACES = RNG.uniform(-7, 11, size=(2, 40))


@pytest.mark.parametrize("mode", ["constant", "nearest", "wrap", "mirror", "reflect"])
@pytest.mark.parametrize("order", [0, 1])
def test_map_coordinates(mode, order):
    theirs = "grid-wrap" if mode == "wrap" else "grid-constant" if mode == "constant" else mode
    wanted = scipy.ndimage.map_coordinates(IMAGE, PLACES, order=order, mode=theirs, cval=0.7)
    same(ndimage.map_coordinates(IMAGE, PLACES, order, mode, 0.7), wanted)
    check_grads(lambda i: ndimage.map_coordinates(i, PLACES, order, mode), (IMAGE,), order=1)
    if order:
        inside = np.array([[0.3, 1.7, 2.2], [0.4, 2.6, 3.1]])
        check_grads(lambda c: ndimage.map_coordinates(IMAGE, c, 1, mode), (inside,), order=1)


def test_map_coordinates_of_whole_numbers():
    whole = np.array([[1, 2], [3, 4]])
    found = ndimage.map_coordinates(whole, [np.array([0.5]), np.array([0.5])], order=1)
    assert found.dtype == int and found.tolist() == [2]
    assert ndimage.map_coordinates(whole, [np.array([1]), np.array([0])], 1).tolist() == [3]
    with pytest.raises(ValueError, match="sequence of length input.ndim, but 1 != 2"):
        ndimage.map_coordinates(whole, [np.ones(1)], 1)
    with pytest.raises(NotImplementedError, match="it was given 'fold'"):
        ndimage.map_coordinates(whole, PLACES, 1, "fold")
    with pytest.raises(NotImplementedError, match="order 0 and 1; it was given 3"):
        ndimage.map_coordinates(whole, PLACES, 3)


GRID = (np.array([0.0, 1.0, 2.5, 4.0]), np.array([-1.0, 0.0, 3.0, 3.5, 5.0]))
INSIDE = np.stack([RNG.uniform(0, 4, 30), RNG.uniform(-1, 5, 30)], axis=1)


@pytest.mark.parametrize("method", ["linear", "nearest"])
@pytest.mark.parametrize("fill", [np.nan, -1.0, None])
@pytest.mark.parametrize("values", [IMAGE, RNG.normal(size=(4, 5, 2))])
def test_interpolation_on_a_grid(method, fill, values):
    settings = {"method": method, "bounds_error": False, "fill_value": fill}
    ours = interpolate.RegularGridInterpolator(GRID, values, **settings)
    theirs = scipy.interpolate.RegularGridInterpolator(GRID, values, **settings)
    points = np.concatenate([INSIDE, INSIDE + 3, [[np.nan, 0.0]]])
    same(ours(points), theirs(points))
    same(ours(points.reshape(-1, 1, 2)), theirs(points.reshape(-1, 1, 2)))
    same(ours((points[:, 0], 0.3)), theirs((points[:, 0], 0.3)))
    same(adlib.jit(lambda f, x: f(x))(ours, points), theirs(points))


def test_interpolation_is_differentiable_and_checks_its_grid():
    f = interpolate.RegularGridInterpolator(GRID, IMAGE)
    check_grads(f, (INSIDE,), order=1)
    for call, message in (
        (lambda: interpolate.RegularGridInterpolator(GRID, IMAGE, "cubic"), "given 'cubic'"),
        (lambda: interpolate.RegularGridInterpolator(GRID[::-1], IMAGE), "on dimension 0"),
        (lambda: interpolate.RegularGridInterpolator([GRID[0][::-1]], IMAGE), "ascending"),
        (lambda: interpolate.RegularGridInterpolator(GRID, IMAGE[0]), "2 point arrays"),
        (lambda: f(np.ones((3, 3))), "dimension 2"),
    ):
        with pytest.raises(ValueError, match=message):
            call()
    with pytest.raises(NotImplementedError, match="bounds_error=False only"):
        interpolate.RegularGridInterpolator(GRID, IMAGE, bounds_error=True)


# -------------------------------------------------------------- iterative solvers


def system(n, kind, definite):
    a = RNG.normal(size=(n, n)) + (1j * RNG.normal(size=(n, n)) if kind == "c" else 0)
    if definite:
        return a @ a.conj().T + n * np.eye(n)
    return a + 3 * np.sqrt(n) * np.eye(n)


@pytest.mark.parametrize("name", ["cg", "bicgstab", "gmres"])
@pytest.mark.parametrize("kind", ["f", "c"])
def test_solvers(name, kind):
    solver, a = getattr(sparse, name), system(12, kind, name == "cg")
    b = a @ np.arange(1.0, 13.0)
    wanted = np.linalg.solve(a, b)
    inverse = np.diag(1 / np.diag(a))
    for kwargs in ({}, {"M": inverse}, {"x0": wanted + 0.1}, {"M": lambda v: inverse @ v}):
        found, info = solver(a, b, tol=1e-12, **kwargs)
        assert info == 0 if name == "gmres" else info is None
        same(found, wanted, 1e-8)
    found, _ = solver(lambda v: {"u": a @ v["u"]}, {"u": b}, tol=1e-12)
    same(found["u"], wanted, 1e-8)
    same(adlib.jit(lambda a, b: solver(a, b, tol=1e-12)[0])(a, b), wanted, 1e-8)
    loose = np.asarray(solver(a, b, tol=1e-2)[0])
    assert np.linalg.norm(a @ loose - b) <= 1.01e-2 * np.linalg.norm(b)
    zero = solver(a, b, maxiter=0)[0]
    same(zero, 0 * b)
    same(solver(a, 0 * b)[0], 0 * b)


@pytest.mark.parametrize("name", ["cg", "bicgstab", "gmres"])
def test_solvers_are_differentiable_both_ways(name):
    solver, a = getattr(sparse, name), system(5, "f", name == "cg")

    def solution(a, b):
        a = (a + a.T) / 2 if name == "cg" else a
        return solver(a, b, tol=1e-13)[0]

    check_grads(solution, (a, np.arange(5.0)), order=2, atol=1e-4, rtol=1e-4)
    b = np.arange(5.0)
    exact = adlib.grad(lambda a, b: jnp.sum(jnp.linalg.solve(a, b) ** 2), (0, 1))(a, b)
    found = adlib.grad(lambda a, b: jnp.sum(solver(a, b, tol=1e-13)[0] ** 2), (0, 1))(a, b)
    same(found[0], exact[0], 1e-7)
    same(found[1], exact[1], 1e-7)
    many = adlib.vmap(lambda b: solver(a, b, tol=1e-12)[0])(np.eye(5))
    same(many, np.linalg.inv(a).T, 1e-8)


def test_restarts():
    a = system(30, "f", False)
    b = np.ones(30)
    same(sparse.gmres(a, b, restart=5, tol=1e-12)[0], np.linalg.solve(a, b), 1e-8)
    for method in ("batched", "incremental"):
        same(sparse.gmres(a, b, tol=1e-12, solve_method=method)[0], np.linalg.solve(a, b), 1e-8)


def test_errors_of_solvers():
    for call, message in (
        (lambda: sparse.cg(np.ones((2, 3)), np.ones(3)), "A as a square matrix or a function"),
        (lambda: sparse.cg(np.eye(2), np.ones(2), x0=[np.ones(2)]), "matching tree structure"),
        (lambda: sparse.cg(np.eye(2), np.ones(2), x0=np.ones(3)), "matching shapes"),
        (lambda: sparse.gmres(np.eye(2), np.ones(2), solve_method="fast"), "it was given 'fast'"),
    ):
        with pytest.raises(ValueError, match=message):
            call()
    with pytest.raises(TypeError, match="it was given str"):
        sparse.cg("A", np.ones(2))


# ------------------------------------------------------------------ minimization


def rosenbrock(x):
    return jnp.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)


def himmelblau(x):
    return (x[0] ** 2 + x[1] - 11) ** 2 + (x[0] + x[1] ** 2 - 7) ** 2


def matyas(x):
    return 0.26 * (x[0] ** 2 + x[1] ** 2) - 0.48 * x[0] * x[1]


def eggholder(x):
    a, b = x[0], x[1] + 47
    return -b * jnp.sin(jnp.sqrt(jnp.abs(a / 2 + b))) - a * jnp.sin(jnp.sqrt(jnp.abs(a - b)))


CASES = [
    (rosenbrock, np.zeros(2)), (rosenbrock, np.array([-1.2, 1.0, 0.7, 1.9])),
    (himmelblau, np.ones(2)), (himmelblau, np.array([-3.0, 3.0])), (matyas, np.ones(2)),
    (eggholder, np.array([100.0, 100.0])), (lambda x: jnp.sum((x - 3) ** 4), np.zeros(3)),
    (lambda x: -jnp.exp(-jnp.sum(x**2)), np.array([0.5, -0.3])),
]  # fmt: skip


@pytest.mark.parametrize(("f", "x0"), CASES)
def test_minimize(f, x0):
    found = optimize.minimize(f, x0, method="BFGS", options={"gtol": 1e-6})
    assert found.success and found.status == 0
    assert np.max(np.abs(found.jac)) <= 1e-6
    wanted = scipy.optimize.minimize(lambda x: float(f(x)), x0, jac=adlib.grad(f), method="BFGS")
    assert found.fun <= wanted.fun + 1e-6
    same(found.fun, f(found.x))
    assert found.nit < 3 * wanted.nit + 10 and found.nfev == found.njev
    again = adlib.jit(lambda x: optimize.minimize(f, x, method="BFGS", tol=1e-6).x)(x0)
    same(again, found.x, 1e-5)


def test_minimize_takes_arguments_and_maps():
    def f(x, a):
        return jnp.sum((x - a) ** 2)

    found = optimize.minimize(f, np.zeros(2), (np.array([1.0, 2.0]),), method="BFGS")
    same(found.x, [1.0, 2.0], 1e-6)
    assert (np.linalg.eigvalsh(np.asarray(found.hess_inv)) > 0).all()
    many = adlib.vmap(lambda a: optimize.minimize(f, jnp.zeros(2), (a,), method="bfgs").x)
    targets = RNG.normal(size=(4, 2))
    same(many(targets), targets, 1e-6)
    start = optimize.minimize(f, np.array([1.0, 2.0]), (np.array([1.0, 2.0]),), method="BFGS")
    assert start.success and start.nit == 0


def test_minimize_stops_where_it_is_told_and_where_it_cannot_go_on():
    stopped = optimize.minimize(rosenbrock, np.zeros(3), method="BFGS", options={"maxiter": 2})
    assert not stopped.success and stopped.status == 1 and stopped.nit == 2
    options = {"maxiter": 9}
    falling = optimize.minimize(lambda x: -jnp.sum(x), np.zeros(2), method="BFGS", options=options)
    assert not falling.success
    broken = optimize.minimize(lambda x: jnp.sum(jnp.log(x)) * jnp.nan, np.ones(2), method="BFGS")
    assert not broken.success


def test_the_minimum_is_differentiable_by_its_equation():
    def minimum(a):
        def gradient(x):
            return adlib.grad(lambda x: jnp.sum((x - a) ** 2) + jnp.sum(jnp.exp(x)))(x)

        def solve(_, x0):
            value = lambda x: jnp.sum((x - a) ** 2) + jnp.sum(jnp.exp(x))  # noqa: E731
            return optimize.minimize(value, x0, method="BFGS", tol=1e-10).x

        def linear(g, y):
            return jnp.linalg.solve(adlib.jacobian(g)(y), y)

        return lax.custom_root(gradient, jnp.zeros(2), solve, linear)

    check_grads(minimum, (np.array([0.3, -0.4]),), order=1, modes=["rev"], atol=1e-4, rtol=1e-4)


def test_errors_of_minimize():
    for call, message in (
        (lambda: optimize.minimize(matyas, np.ones((2, 2)), method="BFGS"), "x0 as a vector"),
        (lambda: optimize.minimize(matyas, np.ones(2), method="newton"), "it was given 'newton'"),
        (
            lambda: optimize.minimize(matyas, np.ones(2), method="BFGS", options={"xtol": 1}),
            "no option 'xtol'",
        ),
    ):
        with pytest.raises(ValueError, match=message):
            call()
    with pytest.raises(TypeError, match=r"args=\(a,\)"):
        optimize.minimize(matyas, np.ones(2), 3.0, method="BFGS")


# ------------------------------------------------------------------ quantization


def test_quantization():
    observations, codes = RNG.normal(size=(20, 3)), RNG.normal(size=(4, 3))
    for found, wanted in zip(
        vq(observations, codes), scipy.cluster.vq.vq(observations, codes), strict=True
    ):
        same(found, wanted)
    index, distance = vq(observations[:, 0], codes[:, 0])
    wanted = scipy.cluster.vq.vq(observations[:, :1], codes[:, :1])
    same(index, wanted[0])
    same(distance, wanted[1])
    with pytest.raises(ValueError, match="as many features"):
        vq(observations, codes[:, :2])
    with pytest.raises(ValueError, match=r"observations \(m, n\)"):
        vq(observations, codes[0])
