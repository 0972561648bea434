"""How compile time grows with a program: ``python -m benchmarks.compile_time``.

Unrolled programs of 100 to 20,000 equations, in adlib and JAX, each first call in a process of its
own with nothing cached: seconds of the processor to trace, compile and run once. Writes a table and
a plot to ``results/``. Sizes that would take JAX minutes are left out for it.
"""

from __future__ import annotations

import argparse
import math
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from .client import ROOT, child_environment

RESULTS = ROOT / "benchmarks" / "results"
LIBRARIES = ("adlib", "jax")
NAMES = {"adlib": "adlib", "jax": "JAX"}
SIZES = (100, 300, 1000, 3000, 10_000, 20_000)
MOST_SECONDS = 25.0  # the largest size of a library is the one that is expected to take so long
TIMEOUT = 180.0
# adlib's own bars: milliseconds of the processor per equation of the larger programs, and how
# the time may grow with the number of equations (1: in proportion).
MOST_PER_EQUATION = 0.3
MOST_EXPONENT = 1.1


def chain(jax: Any, size: int) -> tuple[Callable[..., Any], tuple]:
    """sin(x)·1.01, again and again: two equations a round."""

    def f(x):
        for _ in range(size // 2):
            x = jax.numpy.sin(x) * 1.01
        return jax.numpy.sum(x)

    return f, (jax.numpy.ones(10),)


def chain_gradient(jax: Any, size: int) -> tuple[Callable[..., Any], tuple]:
    """Its gradient: five equations a round."""
    f, arguments = chain(jax, 2 * (size // 5))
    return jax.grad(f), arguments


def layers_gradient(jax: Any, size: int) -> tuple[Callable[..., Any], tuple]:
    """Gradient of unrolled tanh layers: nine equations each."""

    def f(w, x):
        for _ in range(size // 9):
            x = jax.numpy.tanh(w @ x)
        return jax.numpy.sum(x)

    return jax.grad(f), (jax.numpy.full((10, 10), 0.1), jax.numpy.ones(10))


def nested_jvps(jax: Any, size: int) -> tuple[Callable[..., Any], tuple]:
    """The highest derivative of sin(x)·x that has no more equations than asked for."""

    def derivative(f):
        return lambda x: jax.jvp(f, (x,), (1.0,))[1]

    f = lambda x: jax.numpy.sin(x) * x  # noqa: E731
    for _ in range(max(1, round(math.log2(size)) - 3)):
        f = derivative(f)
    return f, (0.5,)


PROGRAMS = {
    "chain": chain,
    "gradient of the chain": chain_gradient,
    "gradient of layers": layers_gradient,
    "nested jvp": nested_jvps,
}

_CHILD = """
import importlib, sys, time
from benchmarks.compile_time import PROGRAMS
library, program, size = sys.argv[1], sys.argv[2], int(sys.argv[3])
importlib.import_module(library + ".numpy")
jax = importlib.import_module(library)
jax.block_until_ready(jax.jit(lambda x: x + 1)(jax.numpy.ones(3)))
function, arguments = PROGRAMS[program](jax, size)
start = time.process_time()
jitted = jax.jit(function)
jax.block_until_ready(jitted(*arguments))
seconds = time.process_time() - start
print(len(jax.make_jaxpr(function)(*arguments).eqns), seconds)
"""


def sample(library: str, program: str, size: int) -> tuple[int, float]:
    """Equations of a program, and seconds of its first call in a fresh process.

    Raises:
      RuntimeError: the process failed, or took longer than TIMEOUT.
    """
    environment = {**child_environment(1), "ADLIB_CACHE_DIR": "", "JAX_PLATFORMS": "cpu"}
    try:
        done = subprocess.run(
            [sys.executable, "-c", _CHILD, library, program, str(size)],
            cwd=ROOT,
            env=environment,
            capture_output=True,
            text=True,
            timeout=TIMEOUT,
        )
    except subprocess.TimeoutExpired:
        raise RuntimeError(f"{library}, {program}, {size}: over {TIMEOUT:g} s") from None
    if done.returncode:
        raise RuntimeError(done.stderr.strip().splitlines()[-1])
    equations, seconds = done.stdout.split()[-2:]
    return int(equations), float(seconds)


def measure(
    programs: Sequence[str], libraries: Sequence[str], sizes: Sequence[int], sample: Any = sample
) -> list[dict[str, Any]]:
    """A row for each program and size: equations, and seconds per library where measured."""
    rows = []
    for program in programs:
        before: dict[str, tuple[int, float]] = {}
        for size in sizes:
            row: dict[str, Any] = {"program": program, "size": size, "seconds": {}}
            for library in libraries:
                if library in before:  # time that grows as the square of the size
                    last, seconds = before[library]
                    if seconds * (size / last) ** 2 > MOST_SECONDS and library != "adlib":
                        continue
                try:
                    equations, seconds = sample(library, program, size)
                except RuntimeError as error:
                    row.setdefault("errors", {})[library] = str(error)
                    continue
                before[library] = (size, seconds)
                row["seconds"][library] = seconds
                if library == "adlib" or "equations" not in row:
                    row["equations"] = equations
            rows.append(row)
    return rows


def exponent(rows: Sequence[dict[str, Any]], library: str) -> float | None:
    """How the time grows with the number of equations, from 1,000 on: 1 is in proportion."""
    found = [r for r in rows if library in r["seconds"] and r.get("equations", 0) >= 900]
    if len(found) < 2:
        return None
    first, last = found[0], found[-1]
    times = last["seconds"][library] / first["seconds"][library]
    return math.log(times) / math.log(last["equations"] / first["equations"])


def table(rows: Sequence[dict[str, Any]], libraries: Sequence[str]) -> str:
    """Markdown."""
    head = ["program", "equations"]
    for library in libraries:
        head += [f"{NAMES[library]}, s", "ms per equation"]
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    for row in rows:
        cells = [row["program"], f"{row.get('equations', row['size']):,}"]
        for library in libraries:
            seconds = row["seconds"].get(library)
            if seconds is None:
                cells += [row.get("errors", {}).get(library, "–"), "–"]
            else:
                cells += [f"{seconds:.2f}", f"{1e3 * seconds / row['equations']:.2f}"]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def verdicts(rows: Sequence[dict[str, Any]]) -> list[str]:
    """What adlib's times come to, against its bars."""
    lines = []
    for program in dict.fromkeys(row["program"] for row in rows):
        own = [row for row in rows if row["program"] == program]
        grows = exponent(own, "adlib")
        if grows is None:
            continue
        last = [row for row in own if "adlib" in row["seconds"]][-1]
        each = 1e3 * last["seconds"]["adlib"] / last["equations"]
        good = grows <= MOST_EXPONENT and each <= MOST_PER_EQUATION
        lines.append(
            f"- {program}: time grows as equations to the power {grows:.2f} (at most "
            f"{MOST_EXPONENT:g}), {each:.2f} ms per equation in the largest (at most "
            f"{MOST_PER_EQUATION:g}): {'met' if good else 'MISSED'}"
        )
    return lines


def plot(rows: Sequence[dict[str, Any]], libraries: Sequence[str], file: Path) -> None:
    """Seconds over equations, one panel for each program, on logarithmic axes."""
    import matplotlib

    matplotlib.use("Agg")
    matplotlib.rcParams["svg.hashsalt"] = "adlib"  # the same picture from the same numbers
    from matplotlib import pyplot

    programs = list(dict.fromkeys(row["program"] for row in rows))
    figure, axes = pyplot.subplots(
        1, len(programs), figsize=(3.4 * len(programs), 3.2), sharey=True, squeeze=False
    )
    for axis, program in zip(axes[0], programs, strict=True):
        for library in libraries:
            points = [
                (row["equations"], row["seconds"][library])
                for row in rows
                if row["program"] == program and library in row["seconds"]
            ]
            if points:
                axis.loglog(*zip(*points, strict=True), marker="o", label=NAMES[library])
        axis.set_title(program)
        axis.set_xlabel("equations")
        axis.grid(True, alpha=0.3)
    axes[0][0].set_ylabel("first call, seconds")
    axes[0][0].legend()
    figure.tight_layout()
    file.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(file, metadata={"Date": None})
    pyplot.close(figure)


def main(arguments: Sequence[str] | None = None) -> int:
    parse = argparse.ArgumentParser(prog="python -m benchmarks.compile_time", description=__doc__)
    parse.add_argument("--libs", default=",".join(LIBRARIES))
    parse.add_argument("--programs", default=",".join(PROGRAMS), help="with commas between them")
    parse.add_argument("--most", type=int, default=SIZES[-1], help="equations of the largest")
    parse.add_argument("--out", type=Path, default=RESULTS)
    options = parse.parse_args(arguments)
    libraries, programs = options.libs.split(","), options.programs.split(",")
    rows = measure(programs, libraries, [size for size in SIZES if size <= options.most])
    lines = [
        "# Compile time",
        "",
        "Seconds of the processor for the first call: trace, compile, run. Sizes that would take "
        f"JAX more than {MOST_SECONDS:g} s are left out for it.",
        "",
        table(rows, libraries),
        "",
        *verdicts(rows),
        "",
        "![Seconds of first calls over equations](compile_time.svg)",
    ]
    text = "\n".join(lines) + "\n"
    plot(rows, libraries, options.out / "compile_time.svg")
    (options.out / "compile_time.md").write_text(text, encoding="utf-8")
    print(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
