"""The table of array modules."""

import numpy as np
import pytest

import adlib
import adlib.numpy as jnp
from adlib.core import backend
from adlib.core.backend import Backend


class Other(np.ndarray):
    """Arrays of another library, for want of a GPU: NumPy's, by another name."""


class Module:
    """NumPy under the name of another array module; counts what is asked of it."""

    def __init__(self):
        self.asked = []

    def __getattr__(self, name):
        self.asked.append(name)
        return getattr(np, name)


@pytest.fixture
def other(monkeypatch):
    for table in ("_by_type", "_by_platform"):
        monkeypatch.setattr(backend, table, dict(getattr(backend, table)))
    monkeypatch.setattr(backend, "several", backend.several)
    made = Backend("other", Module(), Other)
    backend.register(made)
    yield made
    adlib.clear_caches()


def test_numpy_is_the_default():
    default = backend.default()
    assert default.platform == "cpu" and default.xp is np and default.ndarray is np.ndarray
    assert backend.get("cpu") is default
    assert backend.of([]) is backend.of([np.ones(1)]) is default
    assert not backend.several


def test_an_unknown_platform():
    with pytest.raises(KeyError, match="tpu"):
        backend.get("tpu")


def test_the_second_backend_is_found_by_its_arrays(other):
    assert backend.several and backend.get("other") is other
    a, b = np.ones(2), np.ones(2).view(Other)
    assert backend.of([a]) is backend.default()
    assert backend.of([a, b]) is backend.of([b]) is other
    assert backend.default().platform == "cpu"


def test_kernels_are_prepared_for_the_module_that_holds_the_arguments(other):
    array = adlib.core.array.ArrayImpl(np.ones(2, np.float32).view(Other), jnp.ones(2).aval)
    for _ in range(3):
        assert jnp.sinh(jnp.zeros(2)).tolist() == [0, 0]
        before = len(other.xp.asked)
        jnp.sinh(array)
        assert len(other.xp.asked) > before
    assert float(adlib.grad(lambda x: jnp.sum(jnp.sinh(x)))(jnp.zeros(2))[0]) == 1.0
