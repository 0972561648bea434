"""``python -m benchmarks.gpu``: adlib on a GPU beside JAX, PyTorch and CuPy, in one run.

Without a GPU it says in one sentence what is missing, and ends with exit code 2.
"""

from __future__ import annotations

import argparse
import contextlib
import datetime
import importlib
import json
import platform
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from . import report, speed
from .__main__ import RESULTS, chosen, load_average, processor, progress
from .case import SUBJECT
from .cases.gpu import CASES, SMALL_CASES
from .client import Client, WorkerError
from .gpu_libraries import GPU_LIBRARIES

NO_GPU = 2
FORMS = "All forms"


def parser() -> argparse.ArgumentParser:
    parse = argparse.ArgumentParser(
        prog="python -m benchmarks.gpu",
        description="adlib on a GPU beside JAX, PyTorch and CuPy, alternating in one run.",
    )
    parse.add_argument(
        "cases", nargs="*", metavar="CASE", help="case names or their beginnings; default: all"
    )
    parse.add_argument("--rounds", type=int, default=21, help="alternating rounds per case")
    parse.add_argument("--out", type=Path, help="folder for gpu.json and gpu.md")
    parse.add_argument(
        "--small", action="store_true", help="tiny sizes, to try the command; nothing is kept"
    )
    parse.add_argument("--list", action="store_true", help="list the cases and stop")
    return parse


def missing_gpu() -> str:
    """The sentence of ``adlib.devices("gpu")`` on what is missing; empty where nothing is."""
    adlib = importlib.import_module("adlib")
    try:
        adlib.devices("gpu")
    except RuntimeError as error:
        return str(error).splitlines()[0]
    return ""


def card() -> dict[str, Any]:
    """The GPU, its memory in bytes, and the versions of CUDA that driver and CuPy speak."""
    adlib = importlib.import_module("adlib")
    device = adlib.devices("gpu")[0]
    cupy = importlib.import_module("adlib.backends.cupy_").load().xp
    runtime = cupy.cuda.runtime
    return {
        "card": device.device_kind,
        "memory": device.memory_stats()["bytes_limit"],
        "driver": cuda_version(runtime.driverGetVersion()),
        "cuda": cuda_version(runtime.runtimeGetVersion()),
    }


def cuda_version(number: int) -> str:
    """CUDA's versions are one number: 12040 is 12.4."""
    return f"{number // 1000}.{number % 1000 // 10}"


def start_workers(
    stack: contextlib.ExitStack, small: bool = False
) -> tuple[dict[str, Client], dict[str, str]]:
    """A process for each library that is there, and why the others are not.

    Raises:
      SystemExit: adlib itself cannot be loaded.
    """
    device = "gpu-small" if small else "gpu"
    workers: dict[str, Client] = {}
    left_out: dict[str, str] = {}
    for library in GPU_LIBRARIES:
        try:
            workers[library] = stack.enter_context(Client(library, device=device))
        except WorkerError as error:
            left_out[library] = str(error).strip().splitlines()[-1]
    if SUBJECT not in workers:
        raise SystemExit(f"{SUBJECT} cannot be loaded: {left_out[SUBJECT]}")
    return workers, left_out


def measure(names: Sequence[str], rounds: int, small: bool = False) -> dict[str, Any]:
    """Run the cases (tiny ones where ``small``) and return everything as plain data."""
    load_before = load_average()
    with contextlib.ExitStack() as stack:
        workers, left_out = start_workers(stack, small)
        rows = []
        for case in chosen(names, SMALL_CASES if small else CASES):
            progress(case.name)
            rows.append(speed.run_case(case, workers, rounds))
        versions = {name: worker.version for name, worker in workers.items()}
    progress("")
    environment = {
        "date": datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M UTC"),
        **card(),
        "processor": processor(),
        "python": platform.python_version(),
        "versions": versions,
        "libraries": list(versions),
        "left_out": left_out,
        "rounds": rounds,
        "load_before": load_before,
        "load_after": load_average(),
    }
    return {"environment": environment, "speed": rows, "imports": [], "first": [], "memory": []}


def forms_table(run: Mapping[str, Any]) -> tuple[list[str], list[list[str]]]:
    """Every way in which a library did a case, and adlib's time as a multiple of it."""
    lines = []
    for row in run["speed"]:
        own = row["libraries"].get(SUBJECT)
        for library, entry in row["libraries"].items():
            if library == SUBJECT:
                continue
            for form, median in entry["forms"].items():
                multiple = f"{own['seconds']['median'] / median:.2f}" if own else report.DASH
                name = report.NAMES[library]
                lines.append([row["case"], name, form, report.seconds(median), multiple])
    return ["case", "library", "form", "time", "adlib / form"], lines


def left_out_lines(run: Mapping[str, Any]) -> list[str]:
    return [
        f"left out: {report.NAMES[library]} ({reason})"
        for library, reason in run["environment"]["left_out"].items()
    ]


def bar_lines(run: Mapping[str, Any]) -> list[str]:
    """Every bar as met, MISSED, or not measured."""
    lines = []
    for row in run["speed"]:
        for bar in row["bars"]:
            verdict = {True: "met", False: "MISSED", None: "not measured"}[bar["met"]]
            value = "" if bar["value"] is None else f"{bar['value']:.3g}, "
            lines.append(f"{row['case']}: {value}wanted {bar['bar']}: {verdict}")
    for heading, value, limit in report.means(run):
        verdict = "met" if value <= limit else "MISSED"
        lines.append(f"{heading}: geometric mean of adlib / JAX {value:.2f}, wanted ≤ {limit:g}: "
                     f"{verdict}")  # fmt: skip
    return lines


def text(run: Mapping[str, Any]) -> str:
    """What the command prints."""
    tables = [*report.sections(run), (FORMS, *forms_table(run))]
    parts = [f"{heading}\n{report.text_table(*table)}" for heading, *table in tables]
    lines = ["\n".join(bar_lines(run)), *left_out_lines(run), *report.error_lines(run)]
    return "\n\n".join([*parts, *filter(None, lines)])


def markdown(run: Mapping[str, Any]) -> str:
    """The whole run as a document."""
    e = run["environment"]
    versions = ", ".join(f"{report.NAMES[name]} {v}" for name, v in e["versions"].items())
    out = [
        "# GPU benchmark results",
        f"{e['date']} · {e['card']}, {e['memory'] / 1e9:.3g} GB, driver for CUDA {e['driver']}, "
        f"CUDA {e['cuda']} · {e['processor']} · Python {e['python']}, {versions} · "
        f"{e['rounds']} alternating rounds, load average {e['load_before']:.1f} before and "
        f"{e['load_after']:.1f} after.",
        "Times are medians of one call; ratios are medians over rounds with [lower–upper "
        "quartile]. The rates of a copy on the card and of cuBLAS were measured in every round. "
        "Products are of whole float32 numbers in every library.",
    ]
    for heading, *table in [*report.sections(run), (FORMS, *forms_table(run))]:
        out += [f"## {heading}", report.markdown_table(*table)]
    out += ["## Bars", "\n".join(f"- {line}" for line in bar_lines(run))]
    rest = [*left_out_lines(run), *report.error_lines(run)]
    if rest:
        out += ["## Not measured", "\n".join(f"- {line}" for line in rest)]
    titles = {row["case"]: row["title"] for row in run["speed"]}
    out += ["## Cases", "\n".join(f"- `{name}`: {title}." for name, title in titles.items())]
    return "\n\n".join(out) + "\n"


def write(run: Mapping[str, Any], folder: Path) -> list[Path]:
    """Write gpu.json and gpu.md into a folder; returns their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / "gpu.json", folder / "gpu.md"]
    paths[0].write_text(json.dumps(run, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    paths[1].write_text(markdown(run), encoding="utf-8")
    return paths


def main(arguments: Sequence[str] | None = None) -> int:
    options = parser().parse_args(arguments)
    cases = chosen(options.cases, CASES)
    if options.list:
        print("\n".join(f"{case.name:28} {case.title}" for case in cases))
        return 0
    missing = missing_gpu()
    if missing:
        print(missing, file=sys.stderr)
        return NO_GPU
    run = measure(options.cases, options.rounds, options.small)
    print(text(run))
    folder = options.out or (None if options.cases or options.small else RESULTS)
    if folder is not None:
        print(f"\nwritten: {', '.join(str(path) for path in write(run, folder))}")
    return 1 if report.error_lines(run) else 0


if __name__ == "__main__":
    sys.exit(main())
