"""The command for a GPU, as far as a machine without one can try it."""

import json
import os

import numpy as np
import pytest

import adlib
from benchmarks import __main__ as everything
from benchmarks import gpu, report
from benchmarks.case import Bar
from benchmarks.cases.gpu import CASES
from benchmarks.client import WorkerError, child_environment
from benchmarks.gpu_libraries import GPU_LIBRARIES
from benchmarks.libraries import LIBRARIES, Library
from benchmarks.speed import run_case, summarize
from benchmarks.worker import Worker

SENTENCE = "computing on a GPU needs CuPy, which is not installed"


def test_without_a_gpu_one_sentence_and_exit_code_2(monkeypatch, capsys):
    def refuse(name):
        raise RuntimeError(f"{SENTENCE}.\n  more")

    monkeypatch.setattr(adlib, "devices", refuse)
    assert gpu.main([]) == gpu.NO_GPU == 2
    printed = capsys.readouterr()
    assert printed.err == f"{SENTENCE}.\n" and printed.out == ""


def test_the_cases_are_listed_without_a_gpu(capsys):
    assert gpu.main(["--list", "gpu_chain"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == ["gpu_chain", "gpu_chain_gradient"]
    with pytest.raises(SystemExit, match="no case begins with 'hvp'; there are: gpu_polynomial,"):
        gpu.main(["hvp"])


def test_the_workloads_and_their_sizes():
    assert list(CASES) == [
        "gpu_polynomial", "gpu_chain", "gpu_chain_gradient", "gpu_softmax_jacfwd",
        "gpu_softmax_jacrev", "gpu_hvp", "gpu_per_example", "gpu_step", "gpu_small_step",
        "gpu_convolution_step", "gpu_recurrent", "gpu_recurrent_gradient", "gpu_latency",
    ]  # fmt: skip
    titles = {name: case.title for name, case in CASES.items()}
    assert "5000 × 5000" in titles["gpu_polynomial"] and CASES["gpu_chain"].bytes == 4 * 2**26
    assert "4096 × 4096" in titles["gpu_softmax_jacrev"] and "n = 20,000" in titles["gpu_hvp"]
    for case in CASES.values():
        assert set(case.forms) <= set(GPU_LIBRARIES) and {"adlib", "jax", "torch"} <= {*case.forms}
        assert case.group == "GPU" and case.queued == (case.name != "gpu_latency")
    assert not set(CASES) & set(everything.CASES)


def test_bars_that_are_parts_of_the_cards_rates():
    bar = Bar("bytes", 0.85)
    assert str(bar) == "≥ 0.85 × the rate of a copy" and bar.met(0.85) and not bar.met(0.8)
    assert str(Bar("flops", 0.9)) == "≥ 0.9 × the rate of BLAS"
    assert str(Bar("cupy", 1 / 0.9)) == "< 1.11 × cupy"
    found = summarize(
        CASES["gpu_polynomial"],
        {("adlib", 0): [1e-3, 1e-3]},
        {},
        {"bytes": [250e9, 250e9], "flops": [1.0, 1.0]},
    )
    (judged,) = found["bars"]  # 200 MB in a millisecond, of 250 MB
    assert judged["value"] == pytest.approx(0.8) and judged["met"] is False
    assert summarize(CASES["gpu_polynomial"], {}, {})["bars"][0]["met"] is None


def times(case, adlib_seconds, jax_seconds, torch_seconds):
    found = {("adlib", 0): [adlib_seconds] * 3, ("jax", 0): [jax_seconds] * 3}
    for form in range(len(CASES[case].forms["torch"])):
        found["torch", form] = [torch_seconds * (1 + form)] * 3
    return found


@pytest.fixture
def run():
    limits = {"bytes": [1e12] * 3, "flops": [5e13] * 3}
    rows = [
        summarize(CASES["gpu_polynomial"], times("gpu_polynomial", 2.1e-4, 2e-4, 9e-4), {}, limits),
        summarize(CASES["gpu_latency"], times("gpu_latency", 3e-5, 2e-5, 4e-5), {}),
        summarize(
            CASES["gpu_convolution_step"],
            {("adlib", 0): [1e-3] * 3, ("jax", 0): [4e-3] * 3},
            {"torch torch_convolution_step": "Traceback\nRuntimeError: no cuDNN"},
        ),
    ]
    environment = {
        "date": "2026-01-02 03:04 UTC", "card": "Card 1", "memory": 8 * 10**9, "driver": "12.4",
        "cuda": "12.2", "processor": "CPU 1", "python": "3.12.0", "rounds": 3, "load_before": 0.1,
        "load_after": 0.2, "versions": {"adlib": "1", "jax": "2", "torch": "3"},
        "libraries": ["adlib", "jax", "torch"], "left_out": {"cupy": "ImportError: none"},
    }  # fmt: skip
    return {"environment": environment, "speed": rows, "imports": [], "first": [], "memory": []}


def test_the_report_says_what_was_reached(run):
    lines = gpu.bar_lines(run)
    assert lines == [
        "gpu_polynomial: 0.952, wanted ≥ 0.85 × the rate of a copy: met",
        "gpu_latency: 1.5, wanted < 1 × jax: MISSED",
        "GPU: geometric mean of adlib / JAX 0.73, wanted ≤ 1: met",
    ]
    document = gpu.markdown(run)
    assert "Card 1, 8 GB, driver for CUDA 12.4, CUDA 12.2" in document
    assert "| gpu_polynomial | 210 µs | 200 µs | 900 µs | 1.05 [1.05–1.05] |" in document
    assert "95 [95–95] %" in document  # of the copy's rate
    assert "| gpu_polynomial | PyTorch | inductor | 1.8 ms | 0.12 |" in document
    assert "left out: CuPy (ImportError: none)" in document
    assert "RuntimeError: no cuDNN" in document
    assert f"`gpu_latency`: {CASES['gpu_latency'].title}." in document
    printed = gpu.text(run)
    assert "gpu_latency: 1.5, wanted < 1 × jax: MISSED" in printed and "left out: CuPy" in printed


def test_the_results_are_written_as_json_and_markdown(run, tmp_path):
    paths = gpu.write(run, tmp_path / "new")
    assert [path.name for path in paths] == ["gpu.json", "gpu.md"]
    assert json.loads(paths[0].read_text(encoding="utf-8"))["environment"]["card"] == "Card 1"
    assert paths[1].read_text(encoding="utf-8") == gpu.markdown(run)
    assert not report.NEAR.startswith("#") and f"## {report.NEAR}" in gpu.markdown(run)


def test_libraries_that_are_missing_are_named_and_left_out(monkeypatch):
    class Started:
        def __init__(self, library, device):
            assert device == "gpu"
            if library in missing:
                raise WorkerError(f"Traceback\nImportError: no {library}")

        def __enter__(self):
            return self

        def __exit__(self, *exception):
            pass

    import contextlib

    monkeypatch.setattr(gpu, "Client", Started)
    missing = {"jax", "cupy"}
    with contextlib.ExitStack() as stack:
        workers, left_out = gpu.start_workers(stack)
    assert list(workers) == ["adlib", "torch"]
    assert left_out == {"jax": "ImportError: no jax", "cupy": "ImportError: no cupy"}
    missing = {"adlib"}
    with contextlib.ExitStack() as stack, pytest.raises(SystemExit, match="adlib cannot be loaded"):
        gpu.start_workers(stack)


def test_gpus_are_hidden_from_the_cpus_workers_only(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1")
    monkeypatch.delenv("JAX_PLATFORMS", raising=False)
    assert child_environment(1)["CUDA_VISIBLE_DEVICES"] == ""
    there = child_environment(1, "gpu")
    assert there["CUDA_VISIBLE_DEVICES"] == "1" and "JAX_PLATFORMS" not in there
    assert there["XLA_PYTHON_CLIENT_PREALLOCATE"] == "false"
    assert os.environ["CUDA_VISIBLE_DEVICES"] == "1"


class Counting:
    """A library that counts what it is asked."""

    def __init__(self, **options):
        self.waits = self.calls = 0

        def ready(module, result):
            self.waits += 1
            return result

        self.library = Library(
            "torch", lambda threads: self, lambda module, leaf: leaf, ready, **options
        )

    def form(self, module, *inputs):
        def thunk():
            self.calls += 1
            return np.zeros(1)

        return thunk


@pytest.mark.parametrize("queued", [False, True])
def test_only_the_last_call_of_a_queued_batch_is_waited_for(queued):
    import dataclasses

    counting = Counting()
    case = dataclasses.replace(
        CASES["gpu_latency"], forms={"torch": (counting.form,)}, queued=queued
    )
    worker = Worker(counting.library, {case.name: case}, 1)
    worker.prepare(case.name, 0)
    counting.waits = counting.calls = 0
    worker.time(case.name, 0, 10)
    assert counting.calls == 10 and counting.waits == (1 if queued else 10)


def test_a_librarys_own_limits_are_asked(monkeypatch):
    counting = Counting(limits=lambda module, itemsize: {"bytes": float(itemsize)})
    assert Worker(counting.library, {}, 1).limits(4) == {"bytes": 4.0}
    assert LIBRARIES["adlib"].limits is None


def test_a_case_runs_through_the_harness():
    class Scripted:
        def call(self, command, *arguments):
            if command == "prepare":
                return {"result": [np.ones(2)], "seconds": 0.01}
            return {"bytes": 1e12, "flops": 1e13} if command == "limits" else 1e-3

    row = run_case(CASES["gpu_step"], {name: Scripted() for name in GPU_LIBRARIES}, 3)
    assert row["bars"][0]["bar"] == "≥ 0.9 × the rate of BLAS" and not row["errors"]
    assert row["limits"]["flops"]["needed"] == CASES["gpu_step"].flops
