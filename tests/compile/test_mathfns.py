"""The math functions against mpmath: errors in units in the last place, and special values."""

import numpy as np
import pytest
import scipy.special
from mpmath import mp

import adlib
from adlib.compile.builder import NumpyBuilder
from adlib.compile.mathfns import NAMES, emit

N = 60  # points of each kind

# name: (the function in arbitrary precision, bound on the error in ulp in both types)
FUNCTIONS = {
    "exp": (mp.exp, 0.7),
    "exp2": (lambda x: mp.power(2, x), 0.7),
    "expm1": (mp.expm1, 0.9),
    "tanh": (mp.tanh, 1.0),
    "logistic": (lambda x: 1 / (1 + mp.exp(-x)), 1.0),
    "sinh": (mp.sinh, 1.0),
    "cosh": (mp.cosh, 1.0),
    "log": (mp.log, 0.7),
    "log1p": (mp.log1p, 0.7),
    "cbrt": (lambda x: mp.sign(x) * mp.cbrt(abs(x)), 0.7),
    "rsqrt": (lambda x: 1 / mp.sqrt(x), 1.6),
    "sin": (mp.sin, 0.8),
    "cos": (mp.cos, 0.8),
    "tan": (mp.tan, 0.8),
    "asin": (mp.asin, 0.8),
    "acos": (mp.acos, 0.8),
    "atan": (mp.atan, 1.0),
    "atan2": (mp.atan2, 1.2),
    "asinh": (mp.asinh, 0.8),
    "acosh": (mp.acosh, 1.2),
    "atanh": (mp.atanh, 0.8),
    "erf": (mp.erf, 1.6),
    "erfc": (mp.erfc, 2.5),
    "erf_inv": (mp.erfinv, 3.5),
    "pow": (mp.power, 0.8),
}
NUMPY = {
    "logistic": scipy.special.expit,
    "rsqrt": lambda x: 1 / np.sqrt(x),
    "asin": np.arcsin,
    "acos": np.arccos,
    "atan": np.arctan,
    "atan2": np.arctan2,
    "asinh": np.arcsinh,
    "acosh": np.arccosh,
    "atanh": np.arctanh,
    "erf": scipy.special.erf,
    "erfc": scipy.special.erfc,
    "erf_inv": scipy.special.erfinv,
    "pow": np.power,
}
DTYPES = [np.float32, np.float64]


@pytest.fixture(autouse=True)
def quiet_and_precise():
    with np.errstate(all="ignore"), mp.workprec(160):
        yield


def powers_of_two(rng, low, high, signed=True):
    """Numbers whose exponents are spread evenly."""
    x = np.exp2(rng.uniform(low, high, N))
    return x * rng.choice([-1, 1], N) if signed else x


def arguments(name, dtype, rng):
    info = np.finfo(dtype)
    single = dtype == np.float32
    first, last = info.minexp - info.nmant + 1, info.maxexp - 0.01
    around = rng.uniform(-3, 3, N)
    if name in ("exp", "expm1", "sinh", "cosh", "logistic"):
        end = 104 if single else 746
        wide = rng.uniform(-end, end if name == "logistic" else end * 0.86, N)
        points = [wide, around, powers_of_two(rng, -40, 1)]
    elif name == "exp2":
        points = [rng.uniform(info.minexp - info.nmant, info.maxexp, N), around]
    elif name in ("tanh", "erf"):
        points = [rng.uniform(-10, 10, N), powers_of_two(rng, first, 2), around]
    elif name == "erfc":
        points = [rng.uniform(-6, 10 if single else 27, N), around, powers_of_two(rng, -60, 0)]
    elif name in ("log", "rsqrt"):
        points = [powers_of_two(rng, first, last, False), rng.uniform(0.5, 2, N)]
        points.append(1 + powers_of_two(rng, -20, -3))
    elif name == "log1p":
        points = [powers_of_two(rng, first, last, False), rng.uniform(-0.9999, 3, N)]
        points.append(powers_of_two(rng, -40, -0.001))
    elif name == "acosh":
        points = [1 + powers_of_two(rng, -20, 9, False), powers_of_two(rng, 1, last, False)]
    elif name in ("asin", "acos", "atanh", "erf_inv"):
        near_one = 1 - powers_of_two(rng, -24 if single else -53, -1, False)
        points = [rng.uniform(-1, 1, N), near_one, powers_of_two(rng, -90, -0.001)]
    elif name in ("sin", "cos", "tan"):
        near_poles = rng.integers(1, 50_000, N) * np.pi / 2
        points = [rng.uniform(-1e5, 1e5, N), around, near_poles, powers_of_two(rng, 10, last)]
        points.append(powers_of_two(rng, -90, 5))
    elif name == "pow":
        x = np.exp2([*rng.uniform(-100, 100, N), *rng.uniform(-1e-3, 1e-3, N)]).astype(dtype)
        most = np.log(float(info.max)) / np.abs(np.log(x.astype(np.float64)))
        return x, (rng.uniform(-1, 1, 2 * N) * np.minimum(most, 1e30)).astype(dtype)
    elif name == "atan2":
        end = 60 if single else 400
        return tuple(
            np.concatenate([powers_of_two(rng, -end, end), rng.normal(size=2 * N)]).astype(dtype)
            for _ in range(2)
        )
    else:
        points = [powers_of_two(rng, first, last), around, powers_of_two(rng, -30, 30)]
    return (np.concatenate(points).astype(dtype),)


def error_in_ulp(value, exact, info):
    if exact == 0 or not mp.isfinite(exact):
        return 0.0 if value == float(exact) else np.inf
    unit = mp.ldexp(1, max(int(mp.frexp(exact)[1]) - 1, int(info.minexp)) - int(info.nmant))
    if not np.isfinite(value):
        return 0.0 if abs(exact) >= mp.mpf(float(info.max)) + unit / 2 else np.inf
    return float(abs(mp.mpf(float(value)) - exact) / unit)


@pytest.mark.parametrize("dtype", DTYPES, ids=["float32", "float64"])
@pytest.mark.parametrize("name", sorted(NAMES))
def test_error_over_the_whole_range(name, dtype):
    function, bound = FUNCTIONS[name]
    args = arguments(name, dtype, np.random.default_rng(0))
    values = emit(name, NumpyBuilder(), *args)
    assert values.dtype == dtype
    info = np.finfo(dtype)
    for *point, value in zip(*args, values, strict=True):
        exact = function(*[mp.mpf(float(v)) for v in point])
        error = error_in_ulp(value, exact, info)
        assert error <= bound, f"{name}({point}) = {value!r}, exactly {exact}: {error} ulp"


@pytest.mark.parametrize("dtype", DTYPES, ids=["float32", "float64"])
@pytest.mark.parametrize("name", sorted(NAMES))
def test_special_values(name, dtype):
    """Zeros of both signs, infinities, NaN, subnormal and largest numbers, and thresholds."""
    info = np.finfo(dtype)
    small = info.smallest_subnormal
    some = [0.0, np.inf, np.nan, 1.0, 2.0, 0.5, 3.0, info.tiny, small, 3 * small, info.max]
    some += [1 - info.epsneg, 1 + info.eps, 1e-20, 1e5, 2.0**24, 1e30, 88.7, 89, 709.7, 710, 745.2]
    points = np.array([*some, *(-v for v in some)], dtype)
    two = name in ("pow", "atan2")
    args = [v.ravel() for v in np.meshgrid(points, points)] if two else [points]
    values = emit(name, NumpyBuilder(), *args)
    wanted = NUMPY.get(name, getattr(np, name, None))(*args).astype(dtype)
    if name == "erf_inv":
        wanted = np.where(points == 0, points, wanted)  # SciPy loses the sign of zero
    if name == "logistic":  # SciPy computes by exp(-x), which overflows
        near = (points < (-80 if dtype == np.float32 else -700)) & (points > -1000)
        wanted = np.where(near, np.exp(points), wanted)
    same = (values == wanted) & (np.signbit(values) == np.signbit(wanted))
    same |= np.isnan(values) & np.isnan(wanted)
    finite = np.isfinite(values) & np.isfinite(wanted) & (wanted != 0)
    difference = np.abs(values.astype(float) - wanted.astype(float))
    same |= finite & (difference <= 4 * np.spacing(np.abs(wanted)).astype(float))
    bad = [([a[i] for a in args], values[i], wanted[i]) for i in np.flatnonzero(~same)]
    assert not bad, f"(arguments, got, wanted): {bad}"


def test_every_function_has_a_bound():
    assert set(FUNCTIONS) == set(NAMES)
    assert max(bound for _, bound in FUNCTIONS.values()) <= 4


def test_scalars_and_arrays_agree_bit_for_bit():
    x = np.random.default_rng(0).normal(size=20).astype(np.float32)
    whole = emit("tanh", NumpyBuilder(), x)
    single = [emit("tanh", NumpyBuilder(), v) for v in x]
    assert whole.tobytes() == np.array(single, np.float32).tobytes()


UNARY = sorted(NAMES - {"pow", "atan2"})


@pytest.mark.parametrize("dtype", DTYPES, ids=["float32", "float64"])
def test_machine_code_computes_what_the_formulas_say(dtype):
    """All in one program: the same numbers as by NumPy, but where it cannot round only once."""
    pytest.importorskip("llvmlite")
    info = np.finfo(dtype)
    rng = np.random.default_rng(5)
    edges = [0.0, np.inf, np.nan, 1.0, 2.0, info.tiny, info.smallest_subnormal, info.max, 1e30]
    points = [rng.uniform(-1, 1, N), rng.uniform(-40, 40, N), powers_of_two(rng, -140, 120)]
    x = np.concatenate([*points, edges, np.negative(edges)]).astype(dtype)
    y = rng.permutation(x)
    with adlib.enable_x64(), adlib.config.override(jit_backend="native"):
        f = adlib.jit(lambda x, y: [
            *[getattr(adlib.lax, name)(x) for name in UNARY],
            adlib.lax.pow(x, y), adlib.lax.atan2(x, y),
        ])  # fmt: skip
        got = [np.asarray(v) for v in f(x, y)]
    wanted = [emit(name, NumpyBuilder(), x) for name in UNARY]
    wanted += [emit(name, NumpyBuilder(), x, y) for name in ("pow", "atan2")]
    for name, value, by_numpy in zip([*UNARY, "pow", "atan2"], got, wanted, strict=True):
        assert value.dtype == dtype
        np.testing.assert_array_equal(np.isnan(value), np.isnan(by_numpy), err_msg=name)
        same = np.isnan(value) | (value == by_numpy)
        unit = np.spacing(np.maximum(np.abs(by_numpy), info.tiny))
        near = np.abs(value.astype(float) - by_numpy.astype(float)) <= 2 * unit.astype(float)
        assert (same | near).all(), (name, x[~(same | near)], value[~(same | near)])
        zero = value == 0
        np.testing.assert_array_equal(
            np.signbit(value[zero]), np.signbit(by_numpy[zero]), err_msg=name
        )
