"""Memory cases: the peak that one call adds, each measurement in a process of its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .case import SUBJECT, Case
from .client import Client, WorkerError
from .libraries import LIBRARIES
from .stats import Spread, disagreement

MEGABYTE = 10**6
# Left alone, glibc raises this threshold as large blocks are freed, and then keeps and fragments
# them: the same program was seen at 1 GB and at 2 GB. Fixed, every array is returned to the system
# when it is freed, so that the resident peak is what the library holds.
ENVIRONMENT = {"MALLOC_MMAP_THRESHOLD_": "131072"}


def measure(library: str, name: str, form: int, traced: bool, threads: int) -> dict[str, Any]:
    """Peak bytes of one call in a fresh process, and the sums of the result's arrays."""
    with Client(library, threads, environment=ENVIRONMENT) as client:
        return client.call("peak_memory", name, form, traced)


def run_case(
    case: Case,
    libraries: Sequence[str],
    repeats: int,
    threads: int,
    measure: Callable[..., dict[str, Any]] = measure,
) -> dict[str, Any]:
    """One row: peak megabytes per library, and for libraries on NumPy the traced peak too."""
    errors: dict[str, str] = {}
    sums: dict[str, list[np.ndarray]] = {}
    row: dict[str, Any] = {
        "case": case.name,
        "group": case.group,
        "title": case.title,
        "libraries": {},
        "errors": errors,
    }
    for library in libraries:
        best = None
        for form, function in enumerate(case.forms.get(library, ())):
            try:
                runs = [measure(library, case.name, form, False, threads) for _ in range(repeats)]
                entry = {
                    "form": function.__name__,
                    "megabytes": Spread.of([run["bytes"] / MEGABYTE for run in runs]).as_dict(),
                }
                if LIBRARIES[library].numpy_memory:
                    traced = measure(library, case.name, form, True, threads)
                    entry["traced_megabytes"] = traced["bytes"] / MEGABYTE
            except WorkerError as error:
                errors[f"{library} {function.__name__}"] = str(error)
                continue
            if best is None or entry["megabytes"]["median"] < best["megabytes"]["median"]:
                best = entry
                sums[library] = [np.asarray(value) for value in runs[0]["sums"]]
        if best is not None:
            row["libraries"][library] = best
    _check_sums(case, sums, errors)
    subject = row["libraries"].get(SUBJECT)
    value = None if subject is None else subject["megabytes"]["median"]
    row["bars"] = [
        {"bar": str(bar), "value": value, "met": None if value is None else bar.met(value)}
        for bar in case.bars
    ]
    return row


def _check_sums(case: Case, sums: dict[str, list[np.ndarray]], errors: dict[str, str]) -> None:
    """Results may be as large as memory, so agreement is checked on the sum of each array."""
    order = sorted(sums, key=lambda library: library == SUBJECT)
    for library in order[1:]:
        problem = disagreement(sums[order[0]], sums[library], case.rtol, case.atol)
        if problem is not None:
            errors[library] = f"disagrees with {order[0]} in the sums of its results: {problem}"
