"""First calls: seconds to trace, compile and run a program that the process has not seen.

Each sample is a new function in a process with all caches cleared and none on disk. Beside it what
a first call takes longer than a second one in a process that finds adlib's machine code on disk, as
when a notebook is run again.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from typing import Any

from .case import SUBJECT, Bar, Case
from .client import Client, WorkerError
from .speed import Commander, judge
from .stats import Spread, ratio_spread

GROUP = "Compiled"
PEER = "jax"
BARS = (Bar(PEER, 0.5),)
AGAIN = Bar("ms", 20)
NO_DISK_CACHE = {"ADLIB_CACHE_DIR": ""}


def cases_of(cases: Sequence[Case]) -> list[Case]:
    return [case for case in cases if case.group == GROUP]


def measure(
    cases: Sequence[Case], workers: Mapping[str, Commander], rounds: int, clock: str
) -> dict[str, dict[str, list[float]]]:
    """case → library → seconds of first calls, the libraries taking turns."""
    found: dict[str, dict[str, list[float]]] = {}
    for case in cases:
        times = found[case.name] = {name: [] for name in workers}
        for library in list(times):
            try:  # imports what is imported late
                workers[library].call("first", case.name, 0, clock)
            except WorkerError:
                del times[library]
        for _ in range(rounds):
            for library, values in times.items():
                values.append(workers[library].call("first", case.name, 0, clock)[0])
    return found


def again(cases: Sequence[Case], rounds: int, threads: int, clock: str) -> dict[str, list[float]]:
    """case → seconds before the program runs, in processes that find its machine code on disk."""
    found: dict[str, list[float]] = {case.name: [] for case in cases}
    with tempfile.TemporaryDirectory() as place:
        for number in range(rounds + 1):
            environment = {"ADLIB_CACHE_DIR": place}
            with Client(SUBJECT, threads, environment=environment) as client:
                client.call("start_compiler")
                for case in cases:
                    called, run = client.call("first", case.name, 0, clock)
                    if number:  # the first process fills the cache
                        found[case.name].append(max(called - run, 0.0))
    return found


def run(
    cases: Sequence[Case], libraries: Sequence[str], rounds: int, threads: int, clock: str
) -> list[dict[str, Any]]:
    """A row for each compiled case."""
    cases = cases_of(cases)
    workers: dict[str, Client] = {}
    try:
        for library in libraries:
            if library in (SUBJECT, PEER):
                workers[library] = Client(library, threads, environment=NO_DISK_CACHE)
        times = measure(cases, workers, rounds, clock)
    finally:
        for client in workers.values():
            client.close()
    second = again(cases, rounds, threads, clock) if SUBJECT in libraries else {}
    return [row(case, times[case.name], second.get(case.name, [])) for case in cases]


def row(
    case: Case, times: Mapping[str, Sequence[float]], second: Sequence[float]
) -> dict[str, Any]:
    ratios = {}
    if SUBJECT in times and PEER in times:
        ratios[PEER] = ratio_spread(times[SUBJECT], times[PEER]).as_dict()
    found: dict[str, Any] = {
        "case": case.name,
        "group": "First call",
        "title": case.title,
        "libraries": {name: {"seconds": Spread.of(v).as_dict()} for name, v in times.items()},
        "ratios": ratios,
        "bars": [judge(bar, ratios) for bar in BARS],
        "errors": {},
    }
    if second:
        spread = Spread.of(second)
        value = spread.median * 1e3
        found["again"] = {"seconds": spread.as_dict()}
        found["bars"].append({"bar": str(AGAIN), "value": value, "met": AGAIN.met(value)})
    return found
