"""The benchmark harness: statistics, alternation, agreement, bars and tables, on stand-ins.

No time is asserted here and no peer is needed; the numbers come from scripted workers.
"""

import io
import json
import pickle
import sys

import numpy as np
import pytest

from benchmarks import __main__ as command
from benchmarks import importing, memory, report, speed
from benchmarks.case import EAGER_BARS, FASTEST, Bar, Case
from benchmarks.cases import CASES
from benchmarks.cases.memory import nested_chain
from benchmarks.client import Client, WorkerError, child_environment
from benchmarks.libraries import LIBRARIES, Library, thread_environment, tree_leaves, tree_map
from benchmarks.stats import Spread, calls_per_batch, disagreement, fastest, ratio_spread
from benchmarks.worker import Worker, serve


def quick(lib, x):
    return lambda: x


def slow(lib, x):
    return lambda: x


def make_case(forms, bars=EAGER_BARS, **options):
    return Case("row", "Group", "a title", lambda rng: (np.ones(2),), forms, bars, **options)


class ScriptedWorker:
    """Answers as a worker would, from a table of seconds per form; logs what was asked."""

    def __init__(self, name, seconds, log, result=(1.0, 2.0), fails=()):
        self.name, self.seconds, self.log = name, seconds, log
        self.result, self.fails = np.array(result), fails

    def call(self, what, *arguments):
        self.log.append((self.name, what, *arguments))
        if what == "prepare":
            if arguments[1] in self.fails:
                raise WorkerError("Traceback\nValueError: no such thing")
            return {"result": [self.result], "seconds": self.seconds[arguments[1]][0]}
        if what == "time":
            values = self.seconds[arguments[1]]
            done = sum(entry == ("round", self.name, arguments[1]) for entry in self.log)
            self.log.append(("round", self.name, arguments[1]))
            return values[done % len(values)]


def row_of(adlib, jax, autograd=None, torch=None, bars=EAGER_BARS):
    """A finished row from seconds per round."""
    times = {"adlib": adlib, "jax": jax, "autograd": autograd, "torch": torch}
    log, times = [], {name: values for name, values in times.items() if values}
    workers = {name: ScriptedWorker(name, [values], log) for name, values in times.items()}
    return speed.run_case(make_case({name: (quick,) for name in times}, bars), workers, 3)


# --- statistics -----------------------------------------------------------------------------------


def test_spread_is_median_and_quartiles():
    assert Spread.of([4.0, 1.0, 3.0, 2.0, 5.0]) == Spread(3.0, 2.0, 4.0)
    assert Spread.of([7.0]).as_dict() == {"median": 7.0, "q1": 7.0, "q3": 7.0}
    with pytest.raises(ValueError, match="needs at least one value, got none"):
        Spread.of([])


def test_ratios_are_taken_inside_a_round():
    # The machine slows down threefold in the second round, for both.
    assert ratio_spread([1.0, 3.0, 1.0], [2.0, 6.0, 2.0]) == Spread(0.5, 0.5, 0.5)
    with pytest.raises(ValueError, match="got 1 rounds against 2"):
        ratio_spread([1.0], [1.0, 2.0])


def test_one_outlier_moves_neither_the_ratio_nor_the_fastest():
    ours = [1.0, 1.0, 50.0, 1.0, 1.0]
    assert ratio_spread(ours, [2.0] * 5).median == 0.5
    assert fastest({"a": ours, "b": [1.5] * 5}) == "a"


@pytest.mark.parametrize(("seconds", "calls"), [(1e-3, 20), (1.0, 1), (0.02, 1), (0.0, 20_000_000)])
def test_batches_have_about_the_target_length(seconds, calls):
    assert calls_per_batch(seconds, 0.02) == calls


def test_agreement_is_relative_to_each_array():
    want = [np.array([1e6, 0.0]), np.array([1e-3])]
    assert disagreement(want, [np.array([1e6, 1.0]), np.array([1e-3])], 1e-5, 0.0) is None
    assert "array 1 differs by 0.001" in disagreement(want, [want[0], np.array([2e-3])], 1e-5, 0.0)
    assert disagreement(want, want[:1], 1e-5, 0.0) == "1 arrays against 2"
    shape = disagreement(want, [want[0], np.ones((1, 1))], 1e-5, 0.0)
    assert shape == "array 1 has shape (1, 1) against (1,)"
    assert disagreement([np.zeros(0)], [np.zeros(0)], 0.0, 0.0) is None


def test_nan_never_agrees():
    assert "differs by nan" in disagreement([np.ones(1)], [np.array([np.nan])], 1.0, 1.0)


# --- cases ----------------------------------------------------------------------------------------


def test_bars_say_what_they_want():
    assert str(Bar("jax", 0.35)) == "< 0.35 × jax" and not Bar("jax", 1.0).met(1.0)
    assert str(Bar("MB", 120)) == "≤ 120 MB" and Bar("MB", 120).met(120)


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_every_case_is_whole(case):
    assert case.forms["adlib"] == case.forms["jax"], "one API, one set of forms"
    assert case.bars and case.title
    assert "torch" in case.forms or case.group == "Compiled"
    assert all(callable(form) for forms in case.forms.values() for form in forms)
    arrays = [leaf for leaf in tree_leaves(case.make_inputs(warm=True)) if np.ndim(leaf)]
    wanted = np.float64 if case.x64 else np.float32
    real = [np.zeros(0, leaf.dtype).real.dtype for leaf in arrays]
    assert arrays and all(dtype == wanted for dtype in real)


def test_inputs_are_the_same_in_every_process():
    case = CASES["mlp_gradient"]
    first, second = tree_leaves(case.make_inputs()), tree_leaves(case.make_inputs())
    assert all((a == b).all() for a, b in zip(first, second, strict=True))


def test_nested_chain_applies_the_function_and_nests_the_checkpoints():
    nesting = []

    def checkpointed(run):
        nesting.append(run)
        return run

    assert nested_chain(lambda x: x + 1, checkpointed, 1000)(0) == 1000
    assert len(nesting) == 3


# --- speed ----------------------------------------------------------------------------------------


def test_every_round_times_every_form_in_rotating_order():
    log = []
    workers = {
        "adlib": ScriptedWorker("adlib", [[0.01]], log),
        "jax": ScriptedWorker("jax", [[0.02]], log),
        "torch": ScriptedWorker("torch", [[0.03], [0.001]], log),
    }
    case = make_case({"adlib": (quick,), "jax": (quick,), "torch": (slow, quick)})
    row = speed.run_case(case, workers, 4)
    timed = [(entry[0], entry[3], entry[4]) for entry in log if entry[1] == "time"]
    first_round = [("adlib", 0, 3), ("jax", 0, 2), ("torch", 0, 1), ("torch", 1, 30)]
    assert timed[:4] == first_round
    assert timed[4:8] == first_round[1:] + first_round[:1]
    assert len(timed) == 16
    assert row["libraries"]["torch"]["form"] == "quick"
    assert row["libraries"]["torch"]["forms"] == {"slow": 0.03, "quick": 0.001}
    assert row["fastest_peer"] == "torch" and row["ratios"][FASTEST]["median"] == 10.0
    assert [entry[0] for entry in log if entry[1] == "release"] == ["adlib", "jax", "torch"]


def test_bars_are_judged_on_the_median_ratio():
    row = row_of(adlib=[0.2, 0.6, 0.2], jax=[0.4, 1.2, 0.4], torch=[0.1, 0.3, 0.1])
    assert [bar["met"] for bar in row["bars"]] == [True, False]
    assert row["bars"][1]["value"] == pytest.approx(2.0)
    assert report.verdict(row) == "MISSED < 1.5 × fastest peer"


def test_a_bar_without_a_peer_is_neither_met_nor_missed():
    row = row_of(adlib=[1.0], jax=None)
    assert [bar["met"] for bar in row["bars"]] == [None, None]
    assert report.verdict(row) == report.DASH


def test_a_form_that_disagrees_is_named_and_not_timed():
    log = []
    workers = {
        "adlib": ScriptedWorker("adlib", [[1.0]], log, result=(1.0, 2.5)),
        "jax": ScriptedWorker("jax", [[1.0]], log),
    }
    row = speed.run_case(make_case({"adlib": (quick,), "jax": (slow,)}), workers, 2)
    assert row["errors"] == {
        "adlib quick": "disagrees with jax slow: array 0 differs by 0.5, more than 0.00201"
    }
    assert list(row["libraries"]) == ["jax"]
    assert report.verdict(row) == "ERROR"


def test_a_form_that_raises_is_named_and_the_others_are_timed():
    log = []
    workers = {
        "adlib": ScriptedWorker("adlib", [[1.0]], log),
        "jax": ScriptedWorker("jax", [[2.0]], log),
        "torch": ScriptedWorker("torch", [[3.0], [4.0]], log, fails=(0,)),
    }
    case = make_case({"adlib": (quick,), "jax": (quick,), "torch": (slow, quick)})
    row = speed.run_case(case, workers, 2)
    assert row["libraries"]["torch"]["form"] == "quick"
    assert row["ratios"]["jax"]["median"] == 0.5
    run = {"speed": [row], "imports": [], "memory": []}
    assert report.error_lines(run) == ["row: torch slow: ValueError: no such thing"]


def test_all_forms_failing_leaves_an_empty_row():
    worker = ScriptedWorker("adlib", [[1.0]], [], fails=(0,))
    row = speed.run_case(make_case({"adlib": (quick,)}), {"adlib": worker}, 2)
    assert row["libraries"] == {} and list(row["errors"]) == ["adlib quick"]


# --- import time and memory -----------------------------------------------------------------------


def test_import_times_alternate_after_a_warm_up():
    asked = []

    def measure(statement, threads):
        asked.append(statement)
        return 0.1 if "adlib" in statement else 0.5

    imports, _ = importing.run(["adlib", "jax"], 2, 1, measure)
    assert asked[:6] == ["import adlib", "import jax"] * 3
    assert imports["ratios"]["jax"]["median"] == pytest.approx(0.2)
    assert imports["bars"] == [{"bar": "< 0.35 × jax", "value": pytest.approx(0.2), "met": True}]


def test_a_library_that_cannot_be_imported_is_an_error():
    with pytest.raises(WorkerError, match="No module named 'no_such_module'"):
        importing.seconds_of("import no_such_module", 1)

    def measure(statement, threads):
        if "adlib" in statement:
            raise WorkerError("ModuleNotFoundError: adlib")
        return 1.0

    imports, _ = importing.run(["adlib", "jax"], 2, 1, measure)
    assert imports["errors"] == {"adlib": "ModuleNotFoundError: adlib"}
    assert imports["bars"][0]["met"] is None


def memory_case(forms):
    return make_case(forms, (Bar("MB", 120),), warm_inputs=lambda rng: (np.ones(1),))


def test_memory_reports_the_leanest_form_and_the_traced_peak_on_numpy():
    peaks = {("adlib", 0): 130e6, ("adlib", 1): 100e6, ("jax", 0): 500e6}

    def measure(library, name, form, traced, threads):
        return {"bytes": 90e6 if traced else peaks[library, form], "sums": [1.0]}

    case = memory_case({"adlib": (quick, slow), "jax": (quick,)})
    row = memory.run_case(case, ["adlib", "jax", "torch"], 2, 1, measure)
    assert row["libraries"]["adlib"] == {
        "form": "slow",
        "megabytes": {"median": 100.0, "q1": 100.0, "q3": 100.0},
        "traced_megabytes": 90.0,
    }
    assert "traced_megabytes" not in row["libraries"]["jax"]
    assert row["bars"] == [{"bar": "≤ 120 MB", "value": 100.0, "met": True}]
    assert report.memory_cells(row, ["adlib", "jax", "torch"]) == [
        "row", "100 MB (90)", "500 MB", "–", "≤ 120 MB", "met"
    ]  # fmt: skip


def test_memory_results_must_agree_in_their_sums():
    def measure(library, name, form, traced, threads):
        return {"bytes": 1e6, "sums": [2.0 if library == "adlib" else 1.0]}

    case = memory_case({"adlib": (quick,), "jax": (quick,)})
    row = memory.run_case(case, ["adlib", "jax"], 1, 1, measure)
    assert "disagrees with jax in the sums of its results" in row["errors"]["adlib"]
    assert report.verdict(row) == "ERROR"


# --- report ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1.234e-5, "12.3 µs"),
        (4.56e-3, "4.56 ms"),
        (0.789, "789 ms"),
        (2.5, "2.5 s"),
        (1e-3, "1 ms"),
    ],
)
def test_seconds_have_three_digits_and_a_unit(value, text):
    assert report.seconds(value) == text


def whole_run():
    good = row_of(adlib=[0.001], jax=[0.004], autograd=[0.002])
    bad = {**row_of(adlib=[0.003], jax=[0.002], torch=[0.0015]), "case": "bad"}
    environment = {
        "date": "2030-01-01 00:00 UTC",
        "processor": "Abacus",
        "cores": 2,
        "threads": 1,
        "python": "3.11.0",
        "versions": {"adlib": "1", "jax": "2"},
        "libraries": ["adlib", "jax", "autograd", "torch"],
        "rounds": 3,
        "clock": "wall",
        "load_before": 0.0,
        "load_after": 0.5,
    }
    return {"environment": environment, "speed": [good, bad], "imports": [], "memory": []}


def test_text_table():
    lines = report.text(whole_run()).splitlines()
    assert lines == [
        "Group",
        "case  adlib  JAX   autograd  PyTorch  adlib / JAX       adlib / fastest peer       bars",
        "----  -----  ----  --------  -------  ----------------  " + "-" * 25 + "  " + "-" * 38,
        "row   1 ms   4 ms  2 ms      –        0.25 [0.25–0.25]  0.50 [0.50–0.50] autograd  met",
        "bad   3 ms   2 ms  –         1.5 ms   1.50 [1.50–1.50]  2.00 [2.00–2.00] PyTorch   "
        "MISSED < 1 × jax, < 1.5 × fastest peer",
    ]


def test_markdown_has_the_environment_the_tables_and_the_cases():
    text = report.markdown(whole_run())
    assert "Abacus, 2 cores, 1 thread(s) per library · Python 3.11.0, adlib 1, JAX 2" in text
    assert "| row | 1 ms | 4 ms | 2 ms | – | 0.25 [0.25–0.25] |" in text
    assert "- `bad`: a title." in text and "## Errors" not in text


def test_missed_bars_are_listed_with_their_values():
    assert report.missed(whole_run()) == [
        "bad: 1.5, wanted < 1 × jax",
        "bad: 2, wanted < 1.5 × fastest peer",
    ]


def test_results_are_written_as_json_and_markdown(tmp_path):
    run = whole_run()
    json_path, markdown_path = report.write(run, tmp_path / "results")
    assert json.loads(json_path.read_text(encoding="utf-8")) == run
    assert markdown_path.read_text(encoding="utf-8") == report.markdown(run)


# --- workers --------------------------------------------------------------------------------------

NUMPY = Library(
    "adlib",
    load=lambda threads: np,
    array=lambda module, leaf: leaf,
    ready=lambda module, result: result,
    numpy_memory=True,
)


def doubled(module, x):
    return lambda: {"y": 2 * x, "x": [x]}


def failing(module, x):
    return lambda: 1 / 0


def numpy_worker(forms=(doubled, failing), **options):
    return Worker(NUMPY, {"row": make_case({"adlib": forms}, **options)}, threads=1)


def test_worker_prepares_times_and_profiles(monkeypatch):
    monkeypatch.setattr("benchmarks.worker.WARM_UP_SECONDS", 0.0)
    worker = numpy_worker()
    reply = worker.prepare("row", 0)
    assert [leaf.tolist() for leaf in reply["result"]] == [[1.0, 1.0], [2.0, 2.0]]
    assert worker.time("row", 0, 2) > 0.0
    assert 0.0 < worker.time("row", 0, 1000, "cpu") < 1.0
    assert "function calls" in worker.profile("row", 0, 3, 5)
    worker.release()
    with pytest.raises(KeyError):
        worker.time("row", 0, 1)


def test_worker_counts_what_a_call_allocates():
    size = 10**6

    def allocate(module, x):
        return lambda: np.zeros(size)

    warm = {"warm_inputs": lambda rng: (np.ones(1),)}
    reply = numpy_worker((allocate,), **warm).peak_memory("row", 0, traced=True)
    assert 8 * size <= reply["bytes"] < 9 * size and reply["sums"] == [0.0]


def test_serve_answers_errors_and_goes_on():
    requests, replies = io.BytesIO(), io.BytesIO()
    for request in (("prepare", "row", 1), ("version",)):
        pickle.dump(request, requests)
    requests.seek(0)
    serve(numpy_worker(), requests, replies)
    replies.seek(0)
    status, message = pickle.load(replies)
    assert status == "error" and message.rstrip().endswith("ZeroDivisionError: division by zero")
    assert pickle.load(replies) == ("ok", np.__version__)


SCRIPT = """
import os, pickle
from benchmarks.worker import protocol_pipes, serve
requests, replies = protocol_pipes()
print("a library that prints must not break the protocol")
class Echo:
    def echo(self, value): return value
    def die(self): os._exit(3)
    def threads(self): return os.environ["OMP_NUM_THREADS"]
pickle.dump(("ok", "1.0"), replies); replies.flush()
serve(Echo(), requests, replies)
"""


def test_client_talks_to_a_process():
    with Client("echo", threads=2, command=[sys.executable, "-c", SCRIPT]) as client:
        assert client.version == "1.0"
        assert client.call("echo", {"a": 1}) == {"a": 1}
        assert client.call("threads") == "2"
        with pytest.raises(WorkerError, match="has no attribute 'nothing'"):
            client.call("nothing")
        with pytest.raises(WorkerError, match="the echo process ended with exit code 3"):
            client.call("die")


def test_client_says_that_a_library_is_missing(monkeypatch):
    code = "import sys; sys.modules['autograd'] = None; sys.argv = ['', 'autograd', '1']\n"
    run = code + "from benchmarks.worker import main; main()"
    with pytest.raises(WorkerError, match="autograd"):
        Client("autograd", command=[sys.executable, "-c", run])


def test_environment_fixes_threads_and_keeps_byte_code(monkeypatch):
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    environment = child_environment(3)
    assert "PYTHONDONTWRITEBYTECODE" not in environment
    assert thread_environment(3).items() <= environment.items()
    assert environment["NPROC"] == "3"


def test_trees():
    tree = {"b": [1, (2, 3)], "a": 4}
    assert tree_map(lambda leaf: 10 * leaf, tree) == {"b": [10, (20, 30)], "a": 40}
    assert tree_leaves(tree) == [4, 1, 2, 3]
    converted = LIBRARIES["autograd"].arrays(None, (np.float32(1), 1000))
    assert converted == (np.float32(1), 1000)


# --- the command ----------------------------------------------------------------------------------


def test_cases_are_chosen_by_prefix():
    assert [case.name for case in command.chosen(["mlp_g", "jacr"])] == ["mlp_gradient", "jacrev"]
    assert len(command.chosen([])) == len(CASES)
    with pytest.raises(SystemExit, match="no case begins with 'nonsense'; there are: mlp_gradient"):
        command.chosen(["nonsense"])


def test_list_shows_every_case(capsys):
    assert command.main(["--list"]) == 0
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == list(CASES)


def test_an_unknown_word_is_refused_with_the_known_ones(capsys):
    with pytest.raises(SystemExit):
        command.main(["--kinds", "speed,size"])
    message = (
        "argument --kinds: 'size' is none of speed,first,import,memory (write several with commas)"
    )
    assert message in capsys.readouterr().err


def test_processor_time_is_refused_for_several_threads():
    with pytest.raises(SystemExit, match="adds up the threads' time; use it with --threads 1"):
        command.main(["--clock", "cpu", "--threads", "2"])


def test_a_missing_library_fails_the_run_and_says_how_to_repair(monkeypatch):
    def missing(library, threads):
        raise WorkerError("Traceback\nModuleNotFoundError: No module named 'adlib'")

    monkeypatch.setattr(command, "Client", missing)
    with pytest.raises(SystemExit) as stop:
        command.main(["mlp_gradient"])
    assert str(stop.value) == (
        "adlib cannot be loaded (ModuleNotFoundError: No module named 'adlib'); install the extra "
        "with `pip install -e '.[bench]'`, or leave the library out with --libs"
    )


@pytest.fixture
def stand_ins(monkeypatch):
    """Scripted libraries in place of the processes: adlib takes 3 ms, jax 2 ms."""

    class StandIn(ScriptedWorker):
        version = "0"

        def __init__(self, library, threads):
            super().__init__(library, [[0.003 if library == "adlib" else 0.002]] * 3, [])

        def __enter__(self):
            return self

        def __exit__(self, *exception):
            pass

    monkeypatch.setattr(command, "Client", StandIn)


def test_a_missed_bar_fails_only_a_strict_run(stand_ins, capsys):
    arguments = ["mlp_gradient", "--libs", "adlib,jax", "--rounds", "2"]
    assert command.main(arguments) == 0
    assert "mlp_gradient: 1.5, wanted < 1 × jax" in capsys.readouterr().out
    assert command.main([*arguments, "--strict"]) == 1


def test_a_partial_run_does_not_overwrite_the_results(stand_ins, capsys, tmp_path):
    arguments = ["mlp_gradient", "--libs", "adlib,jax", "--rounds", "1"]
    command.main(arguments)
    assert "written" not in capsys.readouterr().out
    command.main([*arguments, "--out", str(tmp_path)])
    assert json.loads((tmp_path / "latest.json").read_text())["speed"][0]["case"] == "mlp_gradient"
