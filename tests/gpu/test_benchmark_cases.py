"""Each GPU benchmark's programs at small sizes, with arrays on the GPU."""

import types

import numpy as np
import pytest

import adlib
from adlib.core.array import ArrayImpl
from benchmarks.cases.gpu import Sizes, cases
from benchmarks.gpu import card
from benchmarks.gpu_libraries import GPU_LIBRARIES, card_rates
from benchmarks.libraries import tree_leaves
from benchmarks.stats import disagreement
from tests.gpu import stand_in

SMALL = Sizes(
    image=8, vector=64, softmax=6, squares=7, mlp=(5, 6, 4), mlp_batch=3, small_mlp=(4, 3),
    small_batch=2, images=2, pixels=6, examples=3, example_mlp=(4, 3, 2), state=5, steps=4,
)  # fmt: skip
CASES = {case.name: case for case in cases(SMALL)}


class ByHand(types.ModuleType):
    """NumPy as CuPy, with a ``fuse`` that changes nothing."""

    fuse = staticmethod(lambda function: function)

    def __getattr__(self, name):
        return getattr(np, name)


@pytest.mark.parametrize("name", CASES)
def test_adlib_computes_the_case_on_the_gpu(gpu, name):
    case, library = CASES[name], GPU_LIBRARIES["adlib"]
    host = case.make_inputs()
    expected = [
        library.numpy_leaves(form(adlib, *adlib.tree_util.tree_map(adlib.numpy.asarray, host))())
        for form in case.forms["adlib"]
    ]
    with adlib.default_device(adlib.devices("gpu")[0]):
        inputs = library.arrays(adlib, host)
    assert all(type(x._value) is gpu.ndarray for x in tree_leaves(inputs))
    for form, wanted in zip(case.forms["adlib"], expected, strict=True):
        thunk = form(adlib, *inputs)
        for _ in range(2):  # the second call runs what the first one compiled
            result = library.ready(adlib, thunk())
            leaves = tree_leaves(result)
            assert all(type(x) is ArrayImpl and type(x._value) is gpu.ndarray for x in leaves)
            assert disagreement(wanted, library.numpy_leaves(result), 1e-4, 1e-5) is None


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if "cupy" in case.forms])
def test_what_is_written_by_hand_is_the_same_program(name):
    case = CASES[name]
    host = case.make_inputs()
    given = adlib.tree_util.tree_map(adlib.numpy.asarray, host)
    wanted = GPU_LIBRARIES["adlib"].numpy_leaves(case.forms["adlib"][0](adlib, *given)())
    for form in case.forms["cupy"]:
        got = [np.asarray(leaf) for leaf in tree_leaves(form(ByHand("cupy"), *host)())]
        assert disagreement(wanted, got, 1e-4, 1e-5) is None, form.__name__


def test_the_card_is_named(gpu):
    found = card()
    assert set(found) == {"card", "memory", "driver", "cuda"}
    if isinstance(gpu, stand_in.Cupy):
        assert found == {
            "card": "Stand-in 1000", "memory": 8 * 10**9, "driver": "12.4", "cuda": "12.2",
        }  # fmt: skip


def test_rates_are_measured_with_arrays_of_the_card(gpu, monkeypatch):
    if isinstance(gpu, stand_in.Cupy):
        monkeypatch.setattr("benchmarks.gpu_libraries._COPIED", 2**12)
        monkeypatch.setattr("benchmarks.gpu_libraries._SIDE", 8)
    rates = card_rates(gpu, 4)
    assert set(rates) == {"bytes", "flops"} and all(rate > 0 for rate in rates.values())
