"""The table of array modules, with the CPU alone in it (tests/gpu has two)."""

import numpy as np
import pytest

from adlib.core import backend


def test_numpy_is_the_default():
    default = backend.default()
    assert default.platform == "cpu" and default.xp is np and default.ndarray is np.ndarray
    assert backend.get("cpu") is default
    assert backend.of([]) is backend.of([np.ones(1)]) is default
    assert not backend.several


def test_an_unknown_platform():
    with pytest.raises(KeyError, match="tpu"):
        backend.get("tpu")
