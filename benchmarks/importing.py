"""Import time: fresh processes, alternating, with byte code already written."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Sequence
from typing import Any

from .case import SUBJECT, Bar
from .client import ROOT, WorkerError, child_environment
from .speed import judge
from .stats import Spread, ratio_spread

# The clock starts when the interpreter is up: its own start is the same for all.
_TIMED = "import time; start = time.perf_counter(); {}; print(time.perf_counter() - start)"

STATEMENTS = {
    "import": {
        "adlib": "import adlib",
        "jax": "import jax",
        "autograd": "import autograd",
        "torch": "import torch",
        "numba": "import numba",
    },
    "first gradient": {
        "adlib": "import adlib; float(adlib.grad(adlib.numpy.sin)(1.0))",
        "jax": "import jax; float(jax.grad(jax.numpy.sin)(1.0))",
        "autograd": "import autograd, autograd.numpy; autograd.grad(autograd.numpy.sin)(1.0)",
        "torch": "import torch; x = torch.tensor(1.0, requires_grad=True); "
        "torch.sin(x).backward(); x.grad.item()",
    },
}
BARS = {"import": (Bar("jax", 0.35),), "first gradient": ()}
TITLES = {
    "import": "`import` in a fresh process",
    "first gradient": "`import` and the first derivative of sin",
}


def seconds_of(statement: str, threads: int) -> float:
    """Run one statement in a fresh interpreter and return the seconds it took there."""
    done = subprocess.run(
        [sys.executable, "-c", _TIMED.format(statement)],
        cwd=ROOT,
        env=child_environment(threads),
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise WorkerError(done.stderr)
    return float(done.stdout.split()[-1])


def run(
    libraries: Sequence[str],
    rounds: int,
    threads: int,
    measure: Callable[[str, int], float] = seconds_of,
) -> list[dict[str, Any]]:
    """A row for each kind of import: seconds per library, ratios with quartiles, bars."""
    rows = []
    for kind, statements in STATEMENTS.items():
        errors: dict[str, str] = {}
        times: dict[str, list[float]] = {}
        for library in statements:
            if library not in libraries:
                continue
            try:
                measure(statements[library], threads)  # writes byte code, fills the page cache
                times[library] = []
            except WorkerError as error:
                errors[library] = str(error)
        for _ in range(rounds):
            for library, values in times.items():
                values.append(measure(statements[library], threads))
        ratios = {
            name: ratio_spread(times[SUBJECT], values).as_dict()
            for name, values in times.items()
            if SUBJECT in times and name != SUBJECT
        }
        rows.append(
            {
                "case": kind,
                "group": "Import",
                "title": TITLES[kind],
                "libraries": {
                    name: {"seconds": Spread.of(values).as_dict()} for name, values in times.items()
                },
                "ratios": ratios,
                "bars": [judge(bar, ratios) for bar in BARS[kind]],
                "errors": errors,
            }
        )
    return rows
