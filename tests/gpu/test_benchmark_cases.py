"""Each GPU benchmark's programs at small sizes, with arrays on the GPU."""

import json
import os
import subprocess
import sys
import types
from pathlib import Path

import numpy as np
import pytest

import adlib
from adlib.core.array import ArrayImpl
from benchmarks.cases.gpu import SMALL_CASES as CASES
from benchmarks.gpu import card
from benchmarks.gpu_libraries import GPU_LIBRARIES, card_rates
from benchmarks.libraries import tree_leaves
from benchmarks.stats import disagreement
from tests.gpu import stand_in


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
        monkeypatch.setattr("benchmarks.gpu_libraries.measured_small", [True])
    rates = card_rates(gpu, 4)
    assert set(rates) == {"bytes", "flops"} and all(rate > 0 for rate in rates.values())


ROOT = Path(__file__).resolve().parents[2]


def test_the_whole_command_on_the_stand_in(tmp_path):
    """Processes, agreement, rates, bars and documents; the figures mean nothing."""
    search = [str(ROOT / "tests" / "gpu" / "startup"), str(ROOT)]
    environment = {
        **os.environ,
        "ADLIB_TEST_GPU": "stand-in",
        "PYTHONPATH": os.pathsep.join([*search, os.environ.get("PYTHONPATH", "")]),
    }
    command = [sys.executable, "-m", "benchmarks.gpu", "--small", "--rounds", "2"]
    done = subprocess.run(
        [*command, "--out", str(tmp_path)],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    run = json.loads((tmp_path / "gpu.json").read_text())
    assert [row["case"] for row in run["speed"]] == list(CASES)
    assert run["environment"]["card"] == "Stand-in 1000"
    for row in run["speed"]:
        assert not row["errors"] and "adlib" in row["libraries"], row
        expected = {"adlib", *({"cupy"} & set(CASES[row["case"]].forms))}
        assert expected <= set(row["libraries"]), row
    by_name = {row["case"]: row for row in run["speed"]}
    assert set(by_name["gpu_polynomial"]["libraries"]["cupy"]["forms"]) == {"by_hand", "fuse"}
    assert by_name["gpu_polynomial"]["bars"][0]["value"] is not None
    text = (tmp_path / "gpu.md").read_text()
    assert "Stand-in 1000, 8 GB, driver for CUDA 12.4" in text and "## Bars" in text
    assert "wanted < 1 × jax" in text  # the latency of a small program
