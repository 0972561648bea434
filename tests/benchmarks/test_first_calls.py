"""First calls, the machine's limits, and compile time: the arithmetic, on stand-ins."""

import numpy as np
import pytest

from benchmarks import compile_time, first, report, speed
from benchmarks.case import FASTEST, Bar, Case
from benchmarks.cases import CASES
from benchmarks.cases.compiled_peers import FORMS
from benchmarks.client import WorkerError
from benchmarks.libraries import LIBRARIES, Library
from benchmarks.stats import disagreement
from benchmarks.worker import Worker


def form(lib, x):
    return lambda: x


def make_case(**options):
    forms = {"adlib": (form,), "jax": (form,)}
    return Case("row", "Compiled", "a title", lambda rng: (np.ones(2),), forms, **options)


class Scripted:
    def __init__(self, seconds, fails=False):
        self.seconds, self.fails, self.asked = list(seconds), fails, []

    def call(self, what, *arguments):
        self.asked.append((what, *arguments))
        if what == "prepare":
            return {"result": [np.ones(2)], "seconds": 1.0}
        if what == "limits":
            return {"flops": 4e9, "bytes": 2e9}
        if what == "release":
            return None
        if self.fails:
            raise WorkerError("Traceback\nValueError: no")
        seconds = self.seconds.pop(0)
        return (seconds, 0.1) if what == "first" else seconds


# --- first calls ----------------------------------------------------------------------------------


def test_first_calls_take_turns_after_one_that_is_not_counted():
    workers = {"adlib": Scripted([9, 1, 2]), "jax": Scripted([9, 10, 8])}
    found = first.measure([make_case()], workers, 2, "cpu")
    assert found == {"row": {"adlib": [1, 2], "jax": [10, 8]}}
    assert workers["adlib"].asked == [("first", "row", 0, "cpu")] * 3


def test_a_library_that_fails_is_left_out():
    workers = {"adlib": Scripted([9, 1]), "jax": Scripted([], fails=True)}
    assert first.measure([make_case()], workers, 1, "cpu") == {"row": {"adlib": [1]}}


def test_a_row_has_both_bars():
    row = first.row(make_case(), {"adlib": [0.01, 0.02], "jax": [0.1, 0.1]}, [0.025])
    assert row["ratios"]["jax"]["median"] == pytest.approx(0.15)
    assert [bar["met"] for bar in row["bars"]] == [True, False]
    assert report.first_cells(row, ["adlib", "jax"]) == [
        "row",
        "15 ms",
        "100 ms",
        "0.15 [0.12–0.17]",
        "25 ms",
        "MISSED ≤ 20 ms",
    ]
    alone = first.row(make_case(), {"adlib": [0.01]}, [])
    assert report.verdict(alone) == report.DASH


def test_the_worker_forgets_before_a_first_call_and_runs_twice():
    done = []
    library = Library(
        "adlib",
        load=lambda threads: np,
        array=lambda module, leaf: leaf,
        ready=lambda module, result: done.append("run"),
        keep_64_bits=lambda module, keep: done.append(("x64", keep)),
        forget=lambda module: done.append("forget"),
    )
    worker = Worker(library, {"row": make_case(x64=True)}, 1)
    seconds, again = worker.first("row", 0, "cpu")
    assert done == [("x64", True), "forget", "run", "run"]
    assert 0.0 <= seconds < 1.0 and 0.0 <= again < 1.0


def test_adlib_forgets_programs_but_not_what_lies_on_disk(monkeypatch, tmp_path):
    import adlib

    monkeypatch.setenv("ADLIB_CACHE_DIR", str(tmp_path))
    (tmp_path / "entry.o").write_bytes(b"")
    f = adlib.jit(lambda x: x + 1)
    f(1.0)
    LIBRARIES["adlib"].forget(adlib)
    assert f._cache_size() == 0 and (tmp_path / "entry.o").exists()


# --- limits ---------------------------------------------------------------------------------------


def test_what_a_case_needs_is_held_against_the_machine_in_each_round():
    case = make_case(flops=10**9, bytes=4 * 10**9, x64=True, bars=(Bar("jax", 1.0),))
    workers = {"adlib": Scripted([1.0, 4.0]), "jax": Scripted([2.0, 4.0])}
    row = speed.run_case(case, workers, 2)
    assert ("limits", 8, "wall") in workers["adlib"].asked
    assert row["limits"]["flops"]["part"]["median"] == pytest.approx((0.25 + 0.0625) / 2)
    assert row["limits"]["bytes"]["part"]["q3"] == pytest.approx(1.625)
    cells = report.limit_cells(row, [])
    assert cells[1] == "1 GFLOP" and cells[4] == "4 GB"
    assert cells[2] == "0.625 of 4 GFLOP/s" and cells[3].startswith("16 [")


def test_a_case_without_work_to_count_asks_for_no_limits():
    workers = {"adlib": Scripted([1.0]), "jax": Scripted([1.0])}
    row = speed.run_case(make_case(bars=(Bar("jax", 1.0),)), workers, 1)
    assert "limits" not in row and all(a[0] != "limits" for a in workers["adlib"].asked)


def test_slow_cases_have_fewer_rounds():
    workers = {"adlib": Scripted([20.0] * 99), "jax": Scripted([20.0] * 99)}
    speed.run_case(make_case(bars=(Bar("jax", 1.0),)), workers, 99)
    asked = [a for a in workers["adlib"].asked if a[0] == "time"]
    assert len(asked) == int(speed.CASE_SECONDS / 2)


def test_the_worker_measures_rates():
    library = Library("adlib", lambda threads: np, lambda m, x: x, lambda m, r: r)
    worker = Worker(library, {}, 1)
    worker._limits = {4: ([np.ones(10), np.ones(10)], [np.ones((3, 3)) for _ in range(3)])}
    rates = worker.limits(4)
    assert set(rates) == {"flops", "bytes"} and min(rates.values()) > 0


# --- cases and means ------------------------------------------------------------------------------


def test_forms_of_the_peers_belong_to_cases():
    assert set(FORMS) <= set(CASES)
    for name, forms in FORMS.items():
        assert {"torch", "numba", "autograd"} >= set(forms)
        assert all(CASES[name].forms[library] == forms[library] for library in forms)


def test_compiled_cases_are_held_against_the_fastest():
    for case in CASES.values():
        if case.group == "Compiled":
            assert [bar.against for bar in case.bars] == ["jax", FASTEST]


def test_geometric_means_have_bars():
    def row(group, ratio):
        spread = {"median": ratio, "q1": ratio, "q3": ratio}
        bars: list = []
        return {"case": "c", "group": group, "ratios": {"jax": spread}, "bars": bars, "errors": {}}

    run = {
        "speed": [row("Compiled", 0.25), row("Compiled", 1.0), row("Other", 9.0)],
        "first": [row("First call", 0.1), row("First call", 0.9)],
        "imports": [],
        "memory": [],
    }
    assert [(h, round(v, 6), b) for h, v, b in report.means(run)] == [
        ("Compiled", 0.5, 0.5),
        ("First call", 0.3, 0.25),
    ]
    assert report.missed(run) == ["First call: geometric mean 0.3, wanted ≤ 0.25"]


def test_complex_results_are_compared():
    want = [np.array([1 + 2j, 3j])]
    assert disagreement(want, [np.array([1 + 2j, 3j])], 1e-6, 0.0) is None
    assert "differs by 1" in disagreement(want, [np.array([1 + 1j, 3j])], 1e-6, 0.0)


# --- compile time ---------------------------------------------------------------------------------


def scripted_sample(seconds):
    asked = []

    def sample(library, program, size):
        asked.append((library, size))
        found = seconds(library, size)
        if found is None:
            raise RuntimeError("RecursionError: too deep")
        return size + 1, found

    return sample, asked


def test_a_peer_is_left_out_of_sizes_that_take_too_long():
    sample, asked = scripted_sample(
        lambda library, size: size / (1e4 if library == "adlib" else 40)
    )
    rows = compile_time.measure(["chain"], ["adlib", "jax"], [100, 1000, 10_000], sample)
    assert asked == [("adlib", 100), ("jax", 100), ("adlib", 1000), ("adlib", 10_000)]
    assert [row["equations"] for row in rows] == [101, 1001, 10_001]
    assert compile_time.table(rows, ["adlib", "jax"]).splitlines()[2:] == [
        "| chain | 101 | 0.01 | 0.10 | 2.50 | 24.75 |",
        "| chain | 1,001 | 0.10 | 0.10 | – | – |",
        "| chain | 10,001 | 1.00 | 0.10 | – | – |",
    ]


def test_growth_is_judged():
    for power, word in ((1.0, "met"), (1.5, "MISSED")):
        sample, _ = scripted_sample(lambda library, size, power=power: 1e-5 * size**power)
        rows = compile_time.measure(["chain"], ["adlib"], [100, 1000, 10_000], sample)
        assert compile_time.exponent(rows, "adlib") == pytest.approx(power, abs=0.01)
        (line,) = compile_time.verdicts(rows)
        assert f"power {power:.2f}" in line and line.endswith(word)


def test_a_failure_is_shown():
    sample, _ = scripted_sample(lambda library, size: None if library == "jax" else 1.0)
    rows = compile_time.measure(["chain"], ["adlib", "jax"], [1000], sample)
    assert "RecursionError: too deep" in compile_time.table(rows, ["adlib", "jax"])


def test_the_command_writes_a_table_and_a_plot(monkeypatch, tmp_path, capsys):
    sample, _ = scripted_sample(lambda library, size: size / 1e4)
    measure = compile_time.measure
    monkeypatch.setattr(compile_time, "measure", lambda p, ls, s: measure(p, ls, s, sample))
    assert compile_time.main(["--out", str(tmp_path), "--most", "1000"]) == 0
    text = (tmp_path / "compile_time.md").read_text(encoding="utf-8")
    assert "| gradient of layers | 1,001 |" in text and text in capsys.readouterr().out
    assert (tmp_path / "compile_time.svg").read_text(encoding="utf-8").startswith("<?xml")


@pytest.mark.parametrize("name", compile_time.PROGRAMS)
def test_programs_have_about_as_many_equations_as_asked(name):
    import adlib

    function, arguments = compile_time.PROGRAMS[name](adlib, 450)
    count = len(adlib.make_jaxpr(function)(*arguments).eqns)
    assert 150 <= count <= 1000


def test_one_sample_in_a_process_of_its_own():
    equations, seconds = compile_time.sample("adlib", "chain", 20)
    assert equations == 21 and 0.0 < seconds < 60.0
    with pytest.raises(RuntimeError, match="no_such_library"):
        compile_time.sample("no_such_library", "chain", 20)
