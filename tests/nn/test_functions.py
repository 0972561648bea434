"""adlib.nn: published values and derivatives, edges where formulas overflow, and messages."""

import numpy as np
import pytest

import adlib
import adlib.numpy as jnp
from adlib import nn
from adlib.test_util import check_grads

X = jnp.array([-3.0, -1.0, -0.25, 0.0, 0.5, 1.0, 2.0, 7.0])
Y = X.reshape(2, 4)
MASK = jnp.array([[True, False, True, True], [True, True, False, False]])

# name → (values at X, gradient of their sum weighted by 1, 2, 3, …)
PUBLISHED = {
    "celu": (
        [-0.950213, -0.6321205, -0.2211992, 0.0, 0.5, 1.0, 2.0, 7.0],
        [0.04978704, 0.7357589, 2.336402, 4.0, 5.0, 6.0, 7.0, 8.0],
    ),
    "elu": (
        [-0.950213, -0.6321205, -0.2211992, 0.0, 0.5, 1.0, 2.0, 7.0],
        [0.04978704, 0.7357589, 2.336402, 4.0, 5.0, 6.0, 7.0, 8.0],
    ),
    "gelu": (
        [-0.003637344, -0.158808, -0.1003246, 0.0, 0.345714, 0.841192, 1.954598, 7.0],
        [-0.01158391, -0.1659281, 0.9139377, 2.0, 4.33685, 6.497785, 7.602695, 8.0],
    ),
    "glu": (
        [-1.867378, -0.7310586, -0.2201993, 0.0],
        [0.6224594, 1.462117, 2.642391, 3.996356, -0.7050111, -0.3932239, -0.07874522, 0.0],
    ),
    "hard_sigmoid": (
        [0.0, 0.3333333, 0.4583333, 0.5, 0.5833334, 0.6666667, 0.8333334, 1.0],
        [0.0, 0.3333333, 0.5, 0.6666667, 0.8333334, 1.0, 1.166667, 0.0],
    ),
    "hard_silu": (
        [-0.0, -0.3333333, -0.1145833, 0.0, 0.2916667, 0.6666667, 1.666667, 7.0],
        [0.0, 0.3333333, 1.25, 2.0, 3.333333, 5.0, 8.166667, 8.0],
    ),
    "hard_tanh": (
        [-1.0, -1.0, -0.25, 0.0, 0.5, 1.0, 1.0, 1.0],
        [0.0, 2.0, 3.0, 4.0, 5.0, 6.0, 0.0, 0.0],
    ),
    "identity": (
        [-3.0, -1.0, -0.25, 0.0, 0.5, 1.0, 2.0, 7.0],
        [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0],
    ),
    "leaky_relu": (
        [-0.03, -0.01, -0.0025, 0.0, 0.5, 1.0, 2.0, 7.0],
        [0.01, 0.02, 0.03, 4.0, 5.0, 6.0, 7.0, 8.0],
    ),
    "log_sigmoid": (
        [
            -3.048587,
            -1.313262,
            -0.8259394,
            -0.6931472,
            -0.474077,
            -0.3132617,
            -0.126928,
            -0.0009114665,
        ],
        [0.9525741, 1.462117, 1.68653, 2.0, 1.887703, 1.613648, 0.8344204, 0.007288411],
    ),
    "mish": (
        [-0.1456475, -0.3034014, -0.129927, 0.0, 0.3752452, 0.8650985, 1.943959, 6.999989],
        [-0.09339312, 0.1184335, 1.319447, 2.4, 4.432122, 6.294217, 7.485225, 8.000161],
    ),
    "relu": ([0.0, 0.0, 0.0, 0.0, 0.5, 1.0, 2.0, 7.0], [0.0, 0.0, 0.0, 0.0, 5.0, 6.0, 7.0, 8.0]),
    "relu6": ([0.0, 0.0, 0.0, 0.0, 0.5, 1.0, 2.0, 6.0], [0.0, 0.0, 0.0, 0.0, 5.0, 6.0, 7.0, 0.0]),
    "selu": (
        [-1.670569, -1.111331, -0.3888902, 0.0, 0.5253505, 1.050701, 2.101402, 7.354907],
        [0.08753057, 1.293537, 4.107627, 7.032397, 5.253505, 6.304206, 7.354907, 8.405608],
    ),
    "sigmoid": (
        [0.04742587, 0.2689414, 0.4378235, 0.5, 0.6224594, 0.7310586, 0.880797, 0.999089],
        [0.04517666, 0.3932239, 0.7384022, 1.0, 1.175019, 1.179672, 0.7349554, 0.00728134],
    ),
    "silu": (
        [-0.1422776, -0.2689414, -0.1094559, 0.0, 0.3112297, 0.7310586, 1.761594, 6.993623],
        [-0.08810411, 0.144659, 1.12887, 2.0, 3.699806, 5.566023, 7.63549, 8.043681],
    ),
    "soft_sign": (
        [-0.75, -0.5, -0.2, 0.0, 0.3333333, 0.5, 0.6666667, 0.875],
        [0.0625, 0.5, 1.92, 4.0, 2.222222, 1.5, 0.7777777, 0.125],
    ),
    "softplus": (
        [0.04858735, 0.3132617, 0.5759394, 0.6931472, 0.974077, 1.313262, 2.126928, 7.000911],
        [0.04742587, 0.5378828, 1.31347, 2.0, 3.112297, 4.386351, 6.165579, 7.992713],
    ),
    "sparse_plus": (
        [0.0, 0.0, 0.140625, 0.25, 0.5625, 1.0, 2.0, 7.0],
        [0.0, 0.0, 1.125, 2.0, 3.75, 6.0, 7.0, 8.0],
    ),
    "sparse_sigmoid": (
        [0.0, 0.0, 0.375, 0.5, 0.75, 1.0, 1.0, 1.0],
        [0.0, 0.5, 1.5, 2.0, 2.5, 1.5, 0.0, 0.0],
    ),
    "squareplus": (
        [0.3027756, 0.618034, 0.8827822, 1.0, 1.280776, 1.618034, 2.414214, 7.140055],
        [0.08397485, 0.5527864, 1.313948, 2.0, 3.106339, 4.34164, 5.974874, 7.846096],
    ),
    "softmax": (
        [
            4.482956e-05,
            0.0003312481,
            0.0007012523,
            0.0009004258,
            0.001484551,
            0.002447611,
            0.006653297,
            0.9874368,
        ],
        [
            -0.0003126677,
            -0.001979071,
            -0.003488441,
            -0.003578822,
            -0.004415928,
            -0.004833024,
            -0.006484224,
            0.0250926,
        ],
    ),
    "log_softmax": (
        [-10.01264, -8.012643, -7.262643, -7.012643, -6.512643, -6.012643, -5.012643, -0.01264283],
        [0.9983861, 1.988075, 2.974755, 3.967585, 4.946556, 5.911886, 6.760481, -27.54772],
    ),
    "logsumexp": (
        [7.012643],
        [
            4.482956e-05,
            0.0003312481,
            0.0007012523,
            0.0009004258,
            0.001484551,
            0.002447611,
            0.006653297,
            0.9874368,
        ],
    ),
    "logmeanexp": (
        [4.933201],
        [
            4.482956e-05,
            0.0003312481,
            0.0007012523,
            0.0009004258,
            0.001484551,
            0.002447611,
            0.006653297,
            0.9874368,
        ],
    ),
    "standardize": (
        [-1.387326, -0.6535335, -0.3783615, -0.2866375, -0.1031895, 0.0802585, 0.4471545, 2.281635],
        [
            -0.2424122,
            -0.4265106,
            -0.2662375,
            0.03178418,
            0.2609316,
            0.4900789,
            0.5814779,
            -0.4291122,
        ],
    ),
    "tanh": (
        [-0.9950547, -0.7615942, -0.2449187, 0.0, 0.4621172, 0.7615942, 0.9640276, 0.9999983],
        [0.009866118, 0.8399487, 2.820045, 4.0, 3.932239, 2.519846, 0.4945557, 2.670286e-05],
    ),
}


def weighted(f):
    def total(x):
        out = f(x)
        return jnp.sum(out * jnp.arange(1.0, 1 + out.size).reshape(out.shape))

    return total


@pytest.mark.parametrize("name", PUBLISHED)
def test_values_and_gradients(name):
    function = getattr(nn, name)
    values, gradient = PUBLISHED[name]
    np.testing.assert_allclose(function(X).ravel(), values, rtol=1e-5, atol=1e-6)
    found = adlib.grad(weighted(function))(X)
    np.testing.assert_allclose(found, gradient, rtol=2e-5, atol=2e-6)
    jitted = adlib.jit(adlib.grad(weighted(function)))(X)
    # near saturation a last digit of the function is many of its derivative's
    np.testing.assert_allclose(jitted, found, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("name", PUBLISHED)
def test_derivatives_of_second_order(name):
    away_from_kinks = jnp.array([-2.3, -0.7, 0.4, 1.7, 0.9, -0.2])
    check_grads(getattr(nn, name), (away_from_kinks,), order=2)


ELEMENTWISE = [n for n in PUBLISHED if nn.__dict__[n](X).shape == X.shape]


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_dtypes_are_kept(name):
    function = getattr(nn, name)
    for dtype in (jnp.float16, jnp.bfloat16, jnp.float32):
        assert function(X.astype(dtype)).dtype == dtype
    if name not in ("softmax", "log_softmax", "standardize"):
        assert function(0.5).weak_type is (name != "gelu")
    with adlib.enable_x64(True):
        assert function(X.astype(float)).dtype == jnp.float64


def test_no_overflow_and_no_nan_in_gradients():
    far = jnp.array([-1e4, 1e4])
    for name in (
        "elu",
        "celu",
        "selu",
        "softplus",
        "log_sigmoid",
        "sigmoid",
        "silu",
        "gelu",
        "mish",
    ):
        function = getattr(nn, name)
        assert np.isfinite(function(far)).all(), name
        assert np.isfinite(adlib.vmap(adlib.grad(function))(far)).all(), name
    assert nn.softplus(far).tolist() == [0.0, 10000.0]


def test_parameters():
    assert np.allclose(nn.leaky_relu(X, 0.3), np.where(X >= 0, X, 0.3 * X))
    assert np.allclose(nn.elu(X, 0.5), np.where(X > 0, X, 0.5 * np.expm1(np.minimum(X, 0))))
    assert np.allclose(nn.celu(X, 2.0), np.maximum(X, 0) + 2 * np.expm1(np.minimum(X, 0) / 2))
    assert np.allclose(nn.squareplus(X, 1.0), (X + np.sqrt(np.square(X) + 1)) / 2)
    erf = pytest.importorskip("scipy.special").erf
    exact = 0.5 * np.asarray(X) * (1 + erf(np.asarray(X) / np.sqrt(2)))
    assert np.allclose(nn.gelu(X, approximate=False), exact, atol=1e-6)
    assert np.allclose(nn.glu(Y, 0), Y[:1] / (1 + np.exp(-Y[1:])))
    assert nn.swish is nn.silu and nn.hard_swish is nn.hard_silu


def test_log1mexp():
    x = np.array([1e-6, 0.1, 0.7, 3.0, 50.0])
    expected = np.where(x < 0.7, np.log(-np.expm1(-x)), np.log1p(-np.exp(-x)))
    assert np.allclose(nn.log1mexp(jnp.asarray(x)), expected, rtol=1e-5)
    slopes = adlib.vmap(adlib.grad(nn.log1mexp))(jnp.asarray(x))
    assert np.allclose(slopes, 1 / np.expm1(x), rtol=1e-4)


def test_relu_derivative_at_the_kink_is_zero():
    assert adlib.grad(nn.relu)(0.0) == 0 and adlib.grad(nn.relu6)(6.0) == 0
    text = str(adlib.make_jaxpr(nn.relu)(X))
    assert "custom_jvp_call[" in text and "max" in text


# ------------------------------------------------------------------ along an axis


def test_logsumexp():
    y = np.asarray(Y, np.float64)
    assert np.allclose(nn.logsumexp(Y, 0, keepdims=True), np.log(np.exp(y).sum(0, keepdims=True)))
    weights = jnp.array([0.5, 1.0, 2.0, -1.0, 1.0, 0.0, 1.0, 1.0])
    total = (np.asarray(weights) * np.exp(y.ravel())).sum()
    assert np.allclose(nn.logsumexp(X, b=weights), np.log(total))
    out, sign = nn.logsumexp(X, b=-weights, return_sign=True)
    assert np.allclose(out, np.log(total)) and sign == -1
    assert np.isnan(nn.logsumexp(X, b=-weights))
    masked = np.log((np.exp(y) * np.asarray(MASK)).sum(1))
    assert np.allclose(nn.logsumexp(Y, 1, where=MASK), masked)
    infinity = jnp.array([-jnp.inf, -jnp.inf])
    assert nn.logsumexp(infinity) == -jnp.inf and nn.logsumexp(-infinity) == jnp.inf
    assert adlib.grad(nn.logsumexp)(jnp.array([-jnp.inf, 0.0])).tolist() == [0.0, 1.0]
    z = np.asarray(X) * (1 + 1j)
    assert np.allclose(nn.logsumexp(jnp.asarray(z)), np.log(np.exp(z).sum()), atol=1e-5)
    assert np.allclose(nn.logmeanexp(Y, 1, where=MASK), masked - np.log(np.asarray(MASK).sum(1)))
    with pytest.raises(ValueError, match="axis 2 is out of bounds for array of dimension 1"):
        nn.logsumexp(X, axis=2)


def test_softmax():
    y = np.asarray(Y, np.float64)
    for axis in (0, 1, (0, 1), None):
        axes = (0, 1) if axis is None else axis
        expected = np.exp(y) / np.exp(y).sum(axis=axes, keepdims=True)
        assert np.allclose(nn.softmax(Y, axis), expected)
        assert np.allclose(nn.log_softmax(Y, axis), np.log(expected), atol=1e-6)
    masked = np.exp(y) * np.asarray(MASK)
    assert np.allclose(nn.softmax(Y, where=MASK), masked / masked.sum(1, keepdims=True))
    assert np.isneginf(nn.log_softmax(Y, where=MASK)).tolist() == (~MASK).tolist()
    assert np.isfinite(nn.softmax(jnp.array([1e30, -1e30]))).all()


def test_standardize():
    y = np.asarray(Y, np.float64)
    for algorithm in ("fast", "stable"):
        out = nn.standardize(Y, 0, epsilon=0.1, algorithm=algorithm)
        assert np.allclose(out, (y - y.mean(0)) / np.sqrt(y.var(0) + 0.1), rtol=1e-4, atol=1e-5)
    given = nn.standardize(Y, mean=1.0, variance=3.0, epsilon=1.0)
    assert np.allclose(given, (y - 1) / 2)
    rows = [r[m] for r, m in zip(y, np.asarray(MASK), strict=True)]
    masked = nn.standardize(Y, where=MASK)
    for i, row in enumerate(rows):
        expected = (y[i] - row.mean()) / np.sqrt(row.var() + 1e-5)
        assert np.allclose(masked[i], expected, rtol=1e-4, atol=1e-4)
    with pytest.raises(ValueError, match="Unknown algorithm 'slow'. Expected 'fast' or 'stable'"):
        nn.standardize(Y, algorithm="slow")


def test_one_hot():
    codes = nn.one_hot(jnp.array([0, 2, 5, -1]), 3)
    assert codes.tolist() == [[1, 0, 0], [0, 0, 1], [0, 0, 0], [0, 0, 0]]
    first = nn.one_hot(jnp.array([[0, 2], [1, 1]]), 3, axis=0, dtype=jnp.int32)
    assert first.shape == (3, 2, 2) and first.dtype == jnp.int32
    assert np.moveaxis(first, 0, -1).tolist() == np.eye(3)[[[0, 2], [1, 1]]].tolist()
    with pytest.raises(ValueError, match="axis 2 is out of bounds for a result of rank 2"):
        nn.one_hot(jnp.arange(3), 3, axis=2)


def test_glu_needs_an_even_axis():
    with pytest.raises(ValueError, match="divisible by 2, got 3"):
        nn.glu(jnp.ones((2, 3)))


# -------------------------------------------------------------------- attention


def attention(q, k, v, scores, scale):
    """By hand, one head at a time, in double precision; scores is a function of (T, S)."""
    q, k, v = (np.asarray(x, np.float64) for x in (q, k, v))
    out = np.zeros(q.shape)
    share = q.shape[2] // k.shape[2]
    for b in range(q.shape[0]):
        for h in range(q.shape[2]):
            s = scores(b, h, q[b, :, h] @ k[b, :, h // share].T * scale)
            w = np.exp(s - s.max(1, keepdims=True))
            out[b, :, h] = w / w.sum(1, keepdims=True) @ v[b, :, h // share]
    return out


Q = jnp.sin(jnp.arange(120.0)).reshape(2, 3, 4, 5)
K = jnp.cos(jnp.arange(120.0)).reshape(2, 6, 2, 5)
V = jnp.sin(0.7 * jnp.arange(120.0)).reshape(2, 6, 2, 5)
T, S = np.arange(3)[:, None], np.arange(6)[None, :]
BIAS = np.linspace(-1, 1, 18).reshape(1, 1, 3, 6)
PAIRS = np.arange(2 * 4 * 18).reshape(2, 4, 3, 6) % 3 > 0
ATTENTION = {
    "plain": ({}, lambda b, h, s: s),
    "causal": ({"is_causal": True}, lambda b, h, s: np.where(T >= S, s, -1e30)),
    "window": ({"local_window_size": (1, 2)},
               lambda b, h, s: np.where((S >= T - 1) & (S <= T + 2), s, -1e30)),
    "bias": ({"bias": jnp.asarray(BIAS)}, lambda b, h, s: s + BIAS[0, 0]),
    "mask": ({"mask": jnp.asarray(PAIRS)}, lambda b, h, s: np.where(PAIRS[b, h], s, -1e30)),
    "lengths": ({"key_value_seq_lengths": jnp.array([4, 6])},
                lambda b, h, s: np.where(S < (4, 6)[b], s, -1e30)),
}  # fmt: skip


@pytest.mark.parametrize("name", ATTENTION)
def test_attention(name):
    options, scores = ATTENTION[name]
    out = nn.dot_product_attention(Q, K, V, **options)
    np.testing.assert_allclose(out, attention(Q, K, V, scores, 5**-0.5), rtol=1e-5, atol=1e-5)


def test_attention_without_batch_and_with_residual():
    whole, sums = nn.dot_product_attention(Q, K, V, scale=0.3, return_residual=True)
    single = nn.dot_product_attention(Q[0], K[0], V[0], scale=0.3)
    assert np.allclose(single, whole[0], atol=1e-6) and sums.shape == (2, 3, 4)
    scores = 0.3 * np.asarray(Q)[1, 2, 3] @ np.asarray(K)[1, :, 1].T
    assert np.allclose(sums[1, 2, 3], np.log(np.exp(scores).sum()))
    short = nn.dot_product_attention(Q, K, V, query_seq_lengths=jnp.array([2, 3]))
    assert not short[0, 2].any() and short[1, 2].all()
    with pytest.raises(ValueError, match="do not fit.*\n.*\n.*with N a multiple of K"):
        nn.dot_product_attention(Q, K, V[:, :5])
    with pytest.raises(ValueError, match="bias must broadcast to .batch, heads, T, S."):
        nn.dot_product_attention(Q, K, V, bias=jnp.ones((3, 6)))


def test_all_names_are_there():
    assert len(nn.__all__) == 33  # with initializers
    assert all(getattr(nn, name).__doc__ for name in nn.__all__)
