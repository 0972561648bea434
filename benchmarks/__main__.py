"""The one command: ``python -m benchmarks`` from the project's root."""

from __future__ import annotations

import argparse
import contextlib
import datetime
import os
import platform
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from . import first, importing, memory, report, speed
from .case import PEERS, SUBJECT, Case
from .cases import CASES
from .client import ROOT, Client, WorkerError
from .worker import CLOCKS

RESULTS = ROOT / "benchmarks" / "results"
KINDS = ("speed", "first", "import", "memory")


def parser() -> argparse.ArgumentParser:
    parse = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="adlib beside JAX, autograd, PyTorch and Numba, alternating in one run.",
    )
    parse.add_argument(
        "cases", nargs="*", metavar="CASE", help="case names or their beginnings; default: all"
    )
    libraries = [SUBJECT, *PEERS]
    parse.add_argument(
        "--libs", type=several(libraries), default=libraries, metavar=",".join(libraries)
    )
    parse.add_argument("--kinds", type=several(KINDS), default=list(KINDS), metavar=",".join(KINDS))
    parse.add_argument("--rounds", type=int, default=21, help="alternating rounds per case")
    parse.add_argument("--first-rounds", type=int, default=5)
    parse.add_argument("--import-rounds", type=int, default=9)
    parse.add_argument("--memory-repeats", type=int, default=2)
    parse.add_argument("--threads", type=int, default=1, help="CPU threads for every library")
    parse.add_argument(
        "--clock",
        choices=tuple(CLOCKS),
        default="wall",
        help="speed cases: wall time, or, on a machine that others use too, processor time",
    )
    parse.add_argument("--out", type=Path, help="folder for latest.json and latest.md")
    parse.add_argument("--list", action="store_true", help="list the cases and stop")
    parse.add_argument(
        "--profile", action="store_true", help=f"instead of timing, profile {SUBJECT} on the cases"
    )
    parse.add_argument(
        "--strict", action="store_true", help="exit with 1 where a bar is missed, too"
    )
    return parse


def several(allowed: Sequence[str]) -> Callable[[str], list[str]]:
    """An argument that takes some of the allowed words, with commas between them."""

    def read(text: str) -> list[str]:
        words = text.split(",")
        for word in words:
            if word not in allowed:
                raise argparse.ArgumentTypeError(
                    f"{word!r} is none of {','.join(allowed)} (write several with commas)"
                )
        return words

    return read


def chosen(prefixes: Sequence[str], cases: Mapping[str, Case] = CASES) -> list[Case]:
    """Cases whose names begin with one of the prefixes; all, where there is none.

    Raises:
      SystemExit: a prefix fits no case.
    """
    for prefix in prefixes:
        if not any(name.startswith(prefix) for name in cases):
            raise SystemExit(f"no case begins with {prefix!r}; there are: {', '.join(cases)}")
    return [
        case
        for name, case in cases.items()
        if not prefixes or any(name.startswith(prefix) for prefix in prefixes)
    ]


def start_workers(stack: contextlib.ExitStack, libraries: Sequence[str], threads: int):
    """One process per library.

    Raises:
      SystemExit: a library cannot be imported.
    """
    workers = {}
    for library in libraries:
        try:
            workers[library] = stack.enter_context(Client(library, threads))
        except WorkerError as error:
            reason = str(error).strip().splitlines()[-1]
            raise SystemExit(
                f"{library} cannot be loaded ({reason}); install the extra with "
                f"`pip install -e '.[bench]'`, or leave the library out with --libs"
            ) from None
    return workers


def processor() -> str:
    """The CPU's model name where the system tells it."""
    with contextlib.suppress(OSError), open("/proc/cpuinfo") as info:
        for line in info:
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


def load_average() -> float:
    return os.getloadavg()[0] if hasattr(os, "getloadavg") else float("nan")


def measure(options: argparse.Namespace, cases: Sequence[Case]) -> dict[str, Any]:
    """Run what was asked for and return it as plain data."""
    run: dict[str, Any] = {
        "environment": {},
        "speed": [],
        "first": [],
        "imports": [],
        "memory": [],
    }
    load_before = load_average()
    with contextlib.ExitStack() as stack:
        workers = start_workers(stack, options.libs, options.threads)
        versions = {name: worker.version for name, worker in workers.items()}
        for case in cases:
            if "speed" in options.kinds and not case.measures_memory:
                progress(case.name)
                run["speed"].append(speed.run_case(case, workers, options.rounds, options.clock))
    if "first" in options.kinds and first.cases_of(cases):
        progress("first calls")
        rounds, clock = options.first_rounds, options.clock
        run["first"] = first.run(cases, options.libs, rounds, options.threads, clock)
    if "import" in options.kinds and not options.cases:
        progress("import")
        run["imports"] = importing.run(options.libs, options.import_rounds, options.threads)
    for case in cases:
        if "memory" in options.kinds and case.measures_memory:
            progress(case.name)
            row = memory.run_case(case, options.libs, options.memory_repeats, options.threads)
            run["memory"].append(row)
    progress("")
    run["environment"] = {
        "date": datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "processor": processor(),
        "cores": os.cpu_count(),
        "threads": options.threads,
        "python": platform.python_version(),
        "versions": versions,
        "libraries": list(options.libs),
        "rounds": options.rounds,
        "clock": options.clock,
        "load_before": load_before,
        "load_after": load_average(),
    }
    return run


def progress(name: str) -> None:
    """The running case on one line that overwrites itself; nothing where nobody watches."""
    if sys.stderr.isatty():
        print(f"\r\x1b[K{name}", end="", file=sys.stderr, flush=True)


def profile(options: argparse.Namespace, cases: Sequence[Case]) -> None:
    """Print where adlib's own time goes in each speed case."""
    with Client(SUBJECT, options.threads) as client:
        for case in cases:
            if case.measures_memory:
                continue
            for form, function in enumerate(case.forms[SUBJECT]):
                warm = client.call("prepare", case.name, form)
                calls = max(1, round(0.5 / warm["seconds"]))
                per_call = report.seconds(warm["seconds"])
                print(f"\n=== {case.name} ({function.__name__}), {per_call} a call, {calls} calls")
                print(client.call("profile", case.name, form, calls, 25))


def main(arguments: Sequence[str] | None = None) -> int:
    options = parser().parse_args(arguments)
    if options.clock == "cpu" and options.threads > 1:
        raise SystemExit("--clock cpu adds up the threads' time; use it with --threads 1")
    cases = chosen(options.cases)
    if options.list:
        print("\n".join(f"{case.name:28} {case.title}" for case in cases))
        return 0
    if options.profile:
        profile(options, cases)
        return 0
    run = measure(options, cases)
    print(report.text(run))
    whole = not options.cases and set(options.libs) == {SUBJECT, *PEERS}
    folder = options.out or (RESULTS if whole and set(options.kinds) == set(KINDS) else None)
    if folder is not None:
        written = ", ".join(str(path) for path in report.write(run, folder))
        print(f"\nwritten: {written}")
    missed = report.missed(run) if SUBJECT in options.libs else []
    if missed:
        print("\nmissed bars:\n  " + "\n  ".join(missed))
    return 1 if report.error_lines(run) or (missed and options.strict) else 0


if __name__ == "__main__":
    sys.exit(main())
