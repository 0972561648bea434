"""Where arrays are, and what happens where they meet; on a stand-in for a GPU."""

import numpy as np
import pytest

import adlib
import adlib.numpy as jnp
import tests.conftest
from adlib.core import registry
from adlib.core.array import ArrayImpl
from adlib.test_util import check_grads

HAS_CARD = not tests.conftest._gpu_missing()


def on_gpu(x):
    return type(x._value) is not np.ndarray


def test_moving_there_and_back(gpu):
    x = jnp.array([1.0, 2.0])
    there = adlib.device_put(x, "gpu")
    assert on_gpu(there) and str(there.device) == "cuda:0" and there.devices() == {there.device}
    back = adlib.device_put(there, adlib.devices("cpu")[0])
    assert type(back._value) is np.ndarray and back.tolist() == [1.0, 2.0]
    assert adlib.device_put(there, "gpu") is there and adlib.device_put(x, "cpu") is x
    assert adlib.device_put(there).device == there.device  # no device: it stays where it is


def test_computation_follows_data(gpu):
    x = adlib.device_put(jnp.array([0.5, 2.0]), "gpu")
    y = jnp.sum(jnp.sin(x) * 2 + 1)
    assert on_gpu(y)
    assert float(y) == pytest.approx(float(np.sum(np.sin([0.5, 2.0]) * 2 + 1)))


def test_mixing_devices_is_an_error_that_names_both(gpu):
    x = adlib.device_put(jnp.array([0.5, 2.0]), "gpu")
    y = jnp.array([1, 2, 3])
    with pytest.raises(ValueError) as caught:
        adlib.lax.concatenate([y.astype(jnp.float32), x], 0)
    text = str(caught.value)
    assert "concatenate was given arrays on two devices" in text
    assert "argument 0 (float32[3]) is on cpu and argument 1 (float32[2]) is on gpu" in text
    assert 'adlib.device_put(x, "gpu")' in text


def test_arrays_made_from_nothing_go_where_they_are_needed(gpu):
    x = adlib.device_put(jnp.array([0.5, 2.0]), "gpu")
    assert on_gpu(x + jnp.ones(2)) and on_gpu(x + 2 * jnp.arange(2)) and on_gpu(x @ jnp.eye(2))
    assert on_gpu(x * jnp.float32(3))  # a number


def test_data_does_not_become_free_by_computing(gpu):
    x = adlib.device_put(jnp.array([0.5, 2.0]), "gpu")
    with pytest.raises(ValueError, match="two devices"):
        x + (jnp.array([1.0, 2.0]) + jnp.ones(2))


def test_new_arrays_on_the_default_device(gpu):
    with adlib.default_device(adlib.devices("gpu")[0]):
        assert adlib.default_backend() == "gpu" and str(adlib.devices()[0]) == "cuda:0"
        for x in (jnp.ones(2), jnp.arange(3), jnp.array([1.0]), jnp.asarray(np.ones(2))):
            assert on_gpu(x)
        assert on_gpu(jnp.sin(np.ones(2, np.float32)))
        assert on_gpu(adlib.random.normal(adlib.random.key(0), (3,)))
    assert adlib.default_backend() == "cpu"
    assert not on_gpu(jnp.ones(2))


def test_choosing_by_the_flag(gpu):
    adlib.config.update("jax_platform_name", "gpu")
    try:
        assert on_gpu(jnp.zeros(2) + 1)
    finally:
        adlib.config.update("jax_platform_name", "")
    assert not on_gpu(jnp.zeros(2) + 1)


def test_nothing_turns_into_numpy_by_itself(gpu):
    x = adlib.device_put(jnp.array([0.5, 2.0]), "gpu")
    for f in (adlib.grad(lambda v: jnp.sum(jnp.tanh(v) ** 2)), adlib.jit(jnp.cumsum), jnp.cos):
        assert on_gpu(f(x))
    assert repr(x) == "Array([0.5, 2. ], dtype=float32)" and x.tolist() == [0.5, 2.0]
    assert np.asarray(x).tolist() == [0.5, 2.0]  # where the user asks


def test_waiting(gpu):
    x = adlib.device_put(jnp.array([0.5, 2.0]), "gpu")
    before = getattr(gpu, "waits", 0)
    assert adlib.block_until_ready(x) is x
    assert getattr(gpu, "waits", 1) == before + 1


@pytest.mark.parametrize("transform", [adlib.jacfwd, adlib.jacrev, adlib.hessian])
def test_the_rows_of_a_jacobian_go_where_it_is_computed(gpu, transform):
    x = adlib.device_put(jnp.array([0.5, 1.0, 2.0]), "gpu")
    found = transform(lambda v: jnp.sum(jnp.sin(v) ** 2))(x)
    assert on_gpu(found)
    slope, curvature = np.sin(2 * np.asarray(x)), np.diag(2 * np.cos(2 * np.asarray(x)))
    wanted = curvature if transform is adlib.hessian else slope
    assert np.asarray(found) == pytest.approx(wanted, rel=1e-4, abs=1e-6)


def test_derivatives_are_checked_where_the_arguments_are(gpu):
    x = adlib.device_put(jnp.array([0.5, 1.0, 2.0]), "gpu")
    check_grads(lambda v: jnp.sin(v) * v, (x,), 1, modes=("fwd",))
    wrong = adlib.custom_jvp(jnp.sin)
    wrong.defjvp(lambda xs, ts: (jnp.sin(xs[0]), ts[0]))
    with pytest.raises(AssertionError, match="finite differences"):
        check_grads(wrong, (x,), 1, modes=("fwd",))


def test_sparse_derivatives(gpu):
    x = adlib.device_put(jnp.array([0.5, 1.0, 2.0]), "gpu")
    found = adlib.experimental.sparse.sparse_jacobian(lambda v: jnp.sin(v) * 2)(x)
    assert found.toarray() == pytest.approx(np.diag(2 * np.cos([0.5, 1.0, 2.0])), rel=1e-5)


def test_derivatives_through_a_move(gpu):
    def f(x):
        return jnp.sum(adlib.device_put(x, "gpu") ** 2)

    x = jnp.array([1.0, 3.0])
    value, gradient = adlib.value_and_grad(f)(x)
    assert on_gpu(value) and not on_gpu(gradient) and gradient.tolist() == [2.0, 6.0]


def test_constants_of_a_program_move_with_it(gpu):
    table = jnp.array([1.0, 2.0])
    f = adlib.jit(lambda x: x * table)
    there = f(adlib.device_put(jnp.array([3.0, 4.0]), "gpu"))
    assert on_gpu(there) and there.tolist() == [3.0, 8.0]
    assert not on_gpu(f(jnp.array([3.0, 4.0])))


def test_pickling_and_copies(gpu):
    import pickle

    x = adlib.device_put(jnp.array([0.5, 2.0]), "gpu")
    assert pickle.loads(pickle.dumps(x)).tolist() == [0.5, 2.0]
    assert isinstance(adlib.device_get(x), np.ndarray)


@pytest.mark.skipif(HAS_CARD, reason="there is a card")
def test_without_a_gpu_one_sentence_says_what_is_missing():
    with pytest.raises(RuntimeError, match="needs"):
        adlib.devices("gpu")
    with pytest.raises(RuntimeError, match="needs"):
        adlib.config.update("jax_platform_name", "gpu")
    assert adlib.config.jax_platform_name == ""
    with pytest.raises(RuntimeError, match="'tpu'"):
        adlib.devices("tpu")


def test_an_array_of_the_other_library(gpu):
    given = gpu.asarray(np.array([1.0, 2.0], np.float32))
    x = jnp.asarray(given)
    assert isinstance(x, ArrayImpl) and on_gpu(x) and x.tolist() == [1.0, 2.0]


def test_a_full_memory_says_what_fills_it(gpu, monkeypatch):
    class OutOfMemoryError(MemoryError):
        pass

    def full(*args, **kwargs):
        raise OutOfMemoryError("Out of memory allocating 4,000,000,000 bytes")

    x = adlib.device_put(jnp.ones((100, 50)), "gpu")
    monkeypatch.setattr(gpu, "sinh", full)
    registry["sinh"].eager_cache.clear()
    with pytest.raises(MemoryError) as caught:
        jnp.sinh(x)
    text = str(caught.value)
    assert "sinh found no room (Out of memory allocating 4,000,000,000 bytes)" in text
    assert "f32[100,50] (20 kB)" in text and "checkpoint" in text
