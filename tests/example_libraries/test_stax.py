"""Stax: published outputs of nets with published weights, and each layer by hand."""

import numpy as np
import pytest

import adlib
import adlib.numpy as jnp
from adlib import random, tree_util
from adlib.example_libraries import stax

KEY = random.PRNGKey(0)
SMALL_NET = stax.serial(stax.Conv(2, (2, 2)), stax.Relu, stax.MaxPool((2, 2)), stax.Flatten,
                        stax.Dense(3), stax.LogSoftmax)  # fmt: skip
RESIDUAL = stax.serial(
    stax.FanOut(2),
    stax.parallel(stax.serial(stax.Dense(4), stax.Tanh), stax.Identity),
    stax.FanInSum,
    stax.FanOut(3),
    stax.parallel(stax.Dense(2), stax.Dense(3), stax.Gelu),
    stax.FanInConcat(-1),
)
DROPOUT = stax.serial(stax.Dense(5), stax.Dropout(0.6), stax.Dropout(0.5, "test"))

# a layer and the shape of its input, its output's shape (of an uncommitted batch and of a
# batch of 2), and the first outputs for normal inputs
PUBLISHED = [
    (
        "stax.Dense(3), (-1, 4)",
        [-1, 3],
        [2, 3],
        [-3.672954, -1.687355, 1.644553, -0.7177498, 1.124777, -0.8208104],
    ),
    (
        "stax.Conv(3, (3, 2), (2, 1)), (-1, 5, 5, 2)",
        [-1, 2, 4, 3],
        [2, 2, 4, 3],
        [-2.097869, -0.06338859, 1.136654, -0.03758157, -1.336763, -0.7685388, -1.257588, 1.116259],
    ),
    (
        "stax.Conv1DTranspose(3, (3,), (2,)), (-1, 4, 2)",
        [-1, 9, 3],
        [2, 9, 3],
        [0.951281, 0.2239161, -1.213777, -1.457953, -0.1838402, -0.8097358, -1.038992, 0.4857945],
    ),
    (
        "stax.BatchNorm(axis=0, center=False), (-1, 3)",
        [-1, 3],
        [2, 3],
        [-0.9999983, 0.9999956, 0.9993331, 0.9999983, -0.9999956, -0.999333],
    ),
    (
        "SMALL_NET, (-1, 4, 4, 1)",
        [0, 3],
        [2, 3],
        [-0.5353607, -4.341977, -0.9124702, -0.5727182, -2.460772, -1.047993],
    ),
    (
        "RESIDUAL, (-1, 4)",
        [-1, 9],
        [2, 9],
        [
            -0.4190497,
            -1.375703,
            0.1860909,
            0.8920936,
            -0.08673253,
            -0.06857569,
            2.297225,
            0.8004727,
        ],
    ),
    (
        "DROPOUT, (-1, 4)",
        [-1, 5],
        [2, 5],
        [1.350963, 2.019324, 0.6612215, 0.9676446, 3.664107, 0.0, 0.1271779, 0.0],
    ),
    (
        'stax.AvgPool((2, 2), (2, 2), "SAME"), (-1, 5, 5, 2)',
        [0, 3, 3, 2],
        [2, 3, 3, 2],
        [-0.23792, 0.4616888, 0.0170411, -0.2776693, -0.04579228, -0.9810621, 0.2418779, 0.1312145],
    ),
    (
        "stax.shape_dependent(lambda shape: stax.Dense(shape[-1])), (-1, 4)",
        [-1, 4],
        [2, 4],
        [-2.396369, 1.069535, 2.652932, 0.6169983, -1.303509, 1.451415, 0.8982262, 0.07352179],
    ),
]


def run(layer, shape, **kwargs):
    init_fun, apply_fun = layer
    out_shape, params = init_fun(KEY, shape)
    inputs = random.normal(random.PRNGKey(3), tuple(2 if n == -1 else n for n in shape))
    return out_shape, params, inputs, apply_fun(params, inputs, **kwargs)


@pytest.mark.parametrize("call, declared, shape, first", PUBLISHED, ids=[p[0] for p in PUBLISHED])
def test_published_outputs(call, declared, shape, first):
    layer, in_shape = eval(call)
    kwargs = {"rng": random.PRNGKey(9)} if layer is DROPOUT else {}
    out_shape, _, _, out = run(layer, in_shape, **kwargs)
    assert list(out_shape) == declared and list(out.shape) == shape
    np.testing.assert_allclose(out.ravel()[:8], first, rtol=2e-5, atol=2e-6)


def windows(x, size, stride):
    view = np.lib.stride_tricks.sliding_window_view(x, size, (1, 2))
    return view[:, :: stride[0], :: stride[1]]


def test_convolution_by_hand():
    layer = stax.Conv(3, (3, 2), (2, 1))
    _, (w, b), x, out = run(layer, (-1, 5, 5, 2))
    assert w.shape == (3, 2, 2, 3) and b.shape == (1, 1, 1, 3)
    expected = np.einsum("bijcuv,uvco->bijo", windows(np.asarray(x), (3, 2), (2, 1)), w)
    np.testing.assert_allclose(out, expected + np.asarray(b), rtol=1e-4, atol=1e-5)
    first = stax.GeneralConv(("NCHW", "OIHW", "NCHW"), 3, (3, 2), (2, 1))
    _, (w, b), x, out = run(first, (-1, 2, 5, 5))
    assert w.shape == (3, 2, 3, 2) and b.shape == (1, 3, 1, 1) and out.shape == (2, 3, 2, 4)


def test_transposed_convolution_is_the_transpose():
    out_shape, (w, b), x, out = run(stax.ConvTranspose(3, (3, 3), (2, 2), "SAME"), (-1, 3, 3, 2))
    assert out_shape == (-1, 6, 6, 3) and out.shape == (2, 6, 6, 3)


@pytest.mark.parametrize(
    "name, reduce", [("MaxPool", "max"), ("SumPool", "sum"), ("AvgPool", "mean")]
)
def test_pooling_by_hand(name, reduce):
    pool = getattr(stax, name)
    out_shape, params, x, out = run(pool((2, 2)), (-1, 5, 5, 2))
    # an uncommitted batch size counts as 0 once a window has gone over it
    assert params == () and out_shape == (0, 4, 4, 2)
    expected = getattr(windows(np.asarray(x), (2, 2), (1, 1)), reduce)((-2, -1))
    np.testing.assert_allclose(out, expected, rtol=1e-5, atol=1e-6)
    moved = pool((2, 2), spec="NCHW")[1]((), jnp.moveaxis(x, -1, 1))
    np.testing.assert_allclose(jnp.moveaxis(moved, 1, -1), expected, rtol=1e-5, atol=1e-6)
    same = pool((2, 2), (2, 2), "SAME")[1]((), x)
    assert same.shape == (2, 3, 3, 2)
    corner = np.asarray(x)[:, 4:, 4:].reshape(2, 1, 2)
    np.testing.assert_allclose(same[:, 2, 2], getattr(corner, reduce)(1), rtol=1e-5)


def test_batch_norm():
    _, (beta, gamma), x, out = run(stax.BatchNorm(), (-1, 3, 3, 2))
    assert beta.tolist() == [0, 0] and gamma.tolist() == [1, 1]
    assert np.allclose(out.mean((0, 1, 2)), 0, atol=1e-5)
    assert np.allclose(out.std((0, 1, 2)), 1, atol=1e-3)
    _, (beta, gamma), _, _ = run(stax.BatchNorm(axis=0, center=False, scale=False), (-1, 3))
    assert beta == () and gamma == ()


ELEMENTWISE = {
    "Tanh": np.tanh,
    "Relu": lambda x: np.maximum(x, 0),
    "Exp": np.exp,
    "Softplus": lambda x: np.log1p(np.exp(x)),
    "Sigmoid": lambda x: 1 / (1 + np.exp(-x)),
    "Elu": lambda x: np.where(x > 0, x, np.expm1(x)),
    "LeakyRelu": lambda x: np.where(x > 0, x, 0.01 * x),
    "Softmax": lambda x: np.exp(x) / np.exp(x).sum(-1, keepdims=True),
    "LogSoftmax": lambda x: x - np.log(np.exp(x).sum(-1, keepdims=True)),
    "Identity": lambda x: x,
}


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_elementwise_layers(name):
    out_shape, params, x, out = run(getattr(stax, name), (-1, 4))
    assert out_shape == (-1, 4) and params == ()
    np.testing.assert_allclose(out, ELEMENTWISE[name](np.asarray(x)), rtol=1e-5, atol=1e-6)


def test_dropout():
    x = jnp.ones((1000,))
    _, apply_fun = stax.Dropout(0.8)
    out = apply_fun((), x, rng=KEY)
    assert set(np.unique(out)) == {np.float32(0), np.float32(1.25)}
    assert abs(float((out > 0).mean()) - 0.8) < 0.05
    with pytest.raises(ValueError, match="requires apply_fun to be called with a PRNG key"):
        apply_fun((), x)


def test_gradients_train_a_net():
    init_fun, apply_fun = SMALL_NET
    _, params = init_fun(KEY, (-1, 4, 4, 1))
    x = random.normal(random.PRNGKey(1), (8, 4, 4, 1))
    labels = jnp.eye(3)[random.randint(random.PRNGKey(2), (8,), 0, 3)]

    def loss(params):
        return -jnp.mean(jnp.sum(apply_fun(params, x) * labels, axis=1))

    before = float(loss(params))
    step = adlib.jit(lambda p: tree_util.tree_map(lambda w, g: w - 0.1 * g, p, adlib.grad(loss)(p)))
    for _ in range(20):
        params = step(params)
    assert float(loss(params)) < before


def test_a_window_needs_the_right_rank():
    with pytest.raises(ValueError, match="a window of 2 sizes is wanted for arrays laid out as"):
        stax.Conv(3, (3,))


def test_all_names_are_there():
    names = (
        "AvgPool BatchNorm Conv Conv1DTranspose ConvTranspose Dense Dropout Elu Exp FanInConcat "
        "FanInSum FanOut Flatten Gelu GeneralConv GeneralConvTranspose Identity LeakyRelu "
        "LogSoftmax MaxPool Relu Selu Sigmoid Softmax Softplus SumPool Tanh elementwise elu gelu "
        "glorot glorot_normal leaky_relu log_softmax logsoftmax normal ones parallel randn relu "
        "selu serial shape_dependent sigmoid softmax softplus standardize zeros"
    ).split()
    assert len(names) == 48 and all(hasattr(stax, name) for name in names)
