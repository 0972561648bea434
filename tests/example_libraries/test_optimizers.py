"""Optimizers: published trajectories, states as trees, schedules, messages."""

import pickle

import numpy as np
import pytest

import adlib
import adlib.numpy as jnp
from adlib import lax, tree_util
from adlib.example_libraries import optimizers

# the parameters after five steps of ``gradient`` below, from START
START = {"a": jnp.array([[1.0, -2.0], [0.5, 3.0]]), "b": jnp.array(2.0),
         "c": jnp.array([1.0, 2.0, 3.0])}  # fmt: skip
PUBLISHED = {
    "sgd(0.1)": (
        [-0.1117133, -2.687915, -0.5410803, 1.605755],
        [1.51889],
        [0.9519321, 1.814947, 2.598822],
    ),
    "momentum(0.1, 0.9)": (
        [-1.164804, -3.063493, -1.481252, 0.1009893],
        [0.7555806],
        [0.8744989, 1.519803, 1.964654],
    ),
    "nesterov(0.1, 0.9)": (
        [-1.964901, -3.626106, -2.241769, -0.8574311],
        [0.4359821],
        [0.8444626, 1.422192, 1.787109],
    ),
    "adagrad(0.1)": (
        [0.8802089, -2.02583, 0.3788939, 2.885282],
        [1.904786],
        [0.9066582, 1.90588, 2.905623],
    ),
    "rmsprop(0.1)": (
        [-0.3862012, -2.685164, -0.9029136, 1.675336],
        [0.9341875],
        [0.340658, 1.144374, 2.072255],
    ),
    "rmsprop_momentum(0.1)": (
        [-2.791728, -2.940204, -3.333718, -0.6368952],
        [-0.7704139],
        [-0.9344635, -0.2763417, 0.4779124],
    ),
    "adam(0.1)": (
        [0.5387141, -2.095381, 0.04979083, 2.516369],
        [1.498985],
        [0.5199671, 1.507006, 2.504044],
    ),
    "adamax(0.1)": (
        [0.6596989, -2.015953, 0.1710084, 2.627814],
        [1.511105],
        [0.5898007, 1.548639, 2.533132],
    ),
    "sm3(0.1)": (
        [0.8802089, -2.016926, 0.3812648, 2.885282],
        [1.904786],
        [0.9066582, 1.90588, 2.905623],
    ),
    "sgd(exponential_decay(0.1, 3, 0.5))": (
        [0.3988106, -2.313725, -0.05327858, 2.207168],
        [1.68518],
        [0.9676345, 1.873746, 2.722831],
    ),
    "sgd(inverse_time_decay(0.1, 3, 0.5))": (
        [0.2276357, -2.43943, -0.2168752, 2.005679],
        [1.630581],
        [0.9624206, 1.854075, 2.681048],
    ),
    "sgd(inverse_time_decay(0.1, 3, 0.5, True))": (
        [0.1286257, -2.500968, -0.3096399, 1.881688],
        [1.585301],
        [0.9581115, 1.837891, 2.646814],
    ),
    "sgd(polynomial_decay(0.1, 3, 0.01, 2.0))": (
        [0.784955, -2.047128, 0.3129412, 2.67301],
        [1.823455],
        [0.9812273, 1.925798, 2.835],
    ),
    "sgd(piecewise_constant([1, 3], [0.1, 0.2, 0.3]))": (
        [-1.412013, -3.681678, -1.79029, 0.1010976],
        [1.124271],
        [0.9158635, 1.684458, 2.332505],
    ),
}


def gradient(i, params):
    return {
        "a": params["a"] * 0.3 + i,
        "b": jnp.sin(params["b"]),
        "c": params["c"] ** 2 * 0.1,
    }


@pytest.mark.parametrize("maker", PUBLISHED)
def test_published_trajectories(maker):
    init_fun, update_fun, get_params = eval(maker, dict(vars(optimizers)))
    state = init_fun(START)
    for i in range(5):
        state = update_fun(i, gradient(i, get_params(state)), state)
    for name, expected in zip("abc", PUBLISHED[maker], strict=True):
        found = get_params(state)[name]
        assert found.shape == START[name].shape
        np.testing.assert_allclose(found.ravel(), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("maker", [m for m in PUBLISHED if m.endswith("(0.1)")])
def test_states_go_through_jit_and_loops(maker):
    init_fun, update_fun, get_params = eval(maker, dict(vars(optimizers)))

    def step(i, state):
        return update_fun(i, gradient(i, get_params(state)), state)

    looped = init_fun({k: jnp.asarray(v) for k, v in START.items()})
    for i in range(3):
        looped = step(i, looped)
    jitted = adlib.jit(lambda state: lax.fori_loop(0, 3, step, state))
    strong = tree_util.tree_map(lambda x: jnp.asarray(x, jnp.float32), START)
    for x, y in zip(
        tree_util.tree_leaves(get_params(looped)),
        tree_util.tree_leaves(get_params(jitted(init_fun(strong)))),
        strict=True,
    ):
        np.testing.assert_allclose(x, y, rtol=1e-5)


def test_descent_descends():
    target = jnp.array([1.0, -2.0])
    loss = lambda p: jnp.sum((p["x"] - target) ** 2) + jnp.sum(p["y"][0] ** 4)  # noqa: E731
    init_fun, update_fun, get_params = optimizers.adam(0.1)
    state = init_fun({"x": jnp.zeros(2), "y": (jnp.ones(3),)})
    for i in range(200):
        state = update_fun(i, adlib.grad(loss)(get_params(state)), state)
    assert np.allclose(get_params(state)["x"], target, atol=1e-2)


def test_schedules():
    assert optimizers.make_schedule(0.1)(5) == 0.1
    assert optimizers.make_schedule(lambda i: 2 * i)(5) == 10
    assert optimizers.constant(3.0)(7) == 3.0
    steps = optimizers.piecewise_constant([10, 20], [1.0, 0.1, 0.01])
    assert [float(steps(i)) for i in (0, 10, 11, 20, 21)] == pytest.approx([1, 1, 0.1, 0.1, 0.01])
    line = optimizers.polynomial_decay(1.0, 10, 0.0)
    assert [float(line(i)) for i in (0, 5, 10, 50)] == [1.0, 0.5, 0.0, 0.0]
    stairs = optimizers.inverse_time_decay(1.0, 10, 1.0, staircase=True)
    assert [float(stairs(i)) for i in (0, 9, 10)] == [1.0, 1.0, 0.5]


def test_norms():
    tree = {"a": jnp.array([3.0, 0.0]), "b": jnp.array([[4.0]])}
    assert optimizers.l2_norm(tree) == 5
    clipped = optimizers.clip_grads(tree, 1.0)
    assert float(optimizers.l2_norm(clipped)) == pytest.approx(1.0)
    assert optimizers.clip_grads(tree, 10.0)["a"].tolist() == [3.0, 0.0]


def test_packing_survives_pickle():
    init_fun, update_fun, get_params = optimizers.momentum(0.1, 0.9)
    state = update_fun(0, {"w": jnp.ones(2)}, init_fun({"w": jnp.zeros(2)}))
    unpacked = optimizers.unpack_optimizer_state(state)
    assert isinstance(unpacked["w"], optimizers.JoinPoint)
    restored = optimizers.pack_optimizer_state(pickle.loads(pickle.dumps(unpacked)))
    assert isinstance(restored, optimizers.OptimizerState)
    assert tree_util.tree_structure(restored) == tree_util.tree_structure(state)
    assert get_params(restored)["w"].tolist() == get_params(state)["w"].tolist()
    with pytest.raises(TypeError, match="leaves are JoinPoints"):
        optimizers.pack_optimizer_state({"w": 1.0})


def test_state_is_a_tree_of_arrays():
    state = optimizers.adam(0.1)[0]({"w": jnp.ones(2)})
    assert len(tree_util.tree_leaves(state)) == 3
    doubled = tree_util.tree_map(lambda x: 2 * x, state)
    assert type(doubled) is optimizers.OptimizerState


def test_mistakes_are_explained():
    init_fun, update_fun, _ = optimizers.sgd(0.1)
    with pytest.raises(TypeError, match="gradient tree that did not match the parameter tree"):
        update_fun(0, {"v": 1.0}, init_fun({"w": 1.0}))
    with pytest.raises(TypeError, match="a number or a function of the step"):
        optimizers.sgd(jnp.ones(3))
    with pytest.raises(ValueError, match="one shorter than values"):
        optimizers.piecewise_constant([1, 2], [1.0, 2.0])
    with pytest.raises(ValueError, match="must be sequences"):
        optimizers.piecewise_constant(1, [1.0, 2.0])

    @optimizers.optimizer
    def broken():
        return lambda x: (x, x), lambda i, g, s: s[0], lambda s: s[0]

    init_fun, update_fun, _ = broken()
    with pytest.raises(TypeError, match="output structure that did not match its input"):
        update_fun(0, 1.0, init_fun(1.0))
