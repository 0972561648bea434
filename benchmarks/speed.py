"""Speed cases: check that all libraries agree, then time them in alternating rounds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from .case import FASTEST, PEERS, SUBJECT, Bar, Case
from .client import WorkerError
from .stats import Spread, calls_per_batch, disagreement, fastest, ratio_spread

BATCH_SECONDS = 0.03


class Commander(Protocol):
    """What a worker must offer; tests pass scripted ones."""

    def call(self, command: str, *arguments: Any) -> Any: ...


def run_case(
    case: Case, workers: Mapping[str, Commander], rounds: int, clock: str = "wall"
) -> dict[str, Any]:
    """One row as plain data: times, ratios, bars, and the errors and disagreements met.

    Times are seconds per call on the given clock (``wall`` or ``cpu``). A library whose form
    raises, or whose result disagrees, is left out of the timing and named under ``errors``.
    """
    errors: dict[str, str] = {}
    calls: dict[tuple[str, int], int] = {}
    results: dict[tuple[str, int], Any] = {}
    for library, worker in workers.items():
        for form in range(len(case.forms.get(library, ()))):
            try:
                reply = worker.call("prepare", case.name, form)
            except WorkerError as error:
                errors[_form_name(case, library, form)] = str(error)
                continue
            calls[library, form] = calls_per_batch(reply["seconds"], BATCH_SECONDS)
            results[library, form] = reply["result"]
    for key in _disagreeing(case, results, errors):
        del calls[key]
    times = _alternate(case, workers, calls, rounds, clock)
    for worker in workers.values():
        worker.call("release")
    return summarize(case, times, errors)


def _form_name(case: Case, library: str, form: int) -> str:
    return f"{library} {case.forms[library][form].__name__}"


def _disagreeing(case: Case, results: Mapping[tuple[str, int], Any], errors: dict[str, str]):
    """Keys whose results differ from the reference: the first peer's, adlib's if it is alone."""
    order = sorted(results, key=lambda key: key[0] == SUBJECT)
    if not order:
        return []
    reference, *others = order
    wrong = []
    for key in others:
        problem = disagreement(results[reference], results[key], case.rtol, case.atol)
        if problem is not None:
            name = _form_name(case, *reference)
            errors[_form_name(case, *key)] = f"disagrees with {name}: {problem}"
            wrong.append(key)
    return wrong


def _alternate(
    case: Case,
    workers: Mapping[str, Commander],
    calls: Mapping[tuple[str, int], int],
    rounds: int,
    clock: str,
) -> dict[tuple[str, int], list[float]]:
    """Every form once per round; the order rotates, so that none always follows the same one."""
    keys = list(calls)
    times: dict[tuple[str, int], list[float]] = {key: [] for key in keys}
    for index in range(rounds if keys else 0):
        shift = index % len(keys)
        for key in keys[shift:] + keys[:shift]:
            library, form = key
            times[key].append(workers[library].call("time", case.name, form, calls[key], clock))
    return times


def summarize(
    case: Case, times: Mapping[tuple[str, int], list[float]], errors: Mapping[str, str]
) -> dict[str, Any]:
    """Reduce the rounds of one case to medians, ratios with quartiles, and bars."""
    best: dict[str, list[float]] = {}
    libraries: dict[str, Any] = {}
    for library in dict.fromkeys(library for library, _ in times):
        forms = {
            case.forms[library][form].__name__: values
            for (owner, form), values in times.items()
            if owner == library
        }
        name = fastest(forms)
        best[library] = forms[name]
        libraries[library] = {
            "form": name,
            "seconds": Spread.of(forms[name]).as_dict(),
            "forms": {form: Spread.of(values).median for form, values in forms.items()},
        }
    row = {
        "case": case.name,
        "group": case.group,
        "title": case.title,
        "libraries": libraries,
        "ratios": {},
        "bars": [],
        "errors": dict(errors),
    }
    peers = {name: best[name] for name in PEERS if name in best}
    if SUBJECT in best and peers:
        for name, values in peers.items():
            row["ratios"][name] = ratio_spread(best[SUBJECT], values).as_dict()
        row["fastest_peer"] = fastest(peers)
        row["ratios"][FASTEST] = row["ratios"][row["fastest_peer"]]
    row["bars"] = [judge(bar, row["ratios"]) for bar in case.bars]
    return row


def judge(bar: Bar, ratios: Mapping[str, Mapping[str, float]]) -> dict[str, Any]:
    """A bar with its value; ``met`` is None where there is nothing to hold it against."""
    spread = ratios.get(bar.against)
    if spread is None:
        return {"bar": str(bar), "value": None, "met": None}
    return {"bar": str(bar), "value": spread["median"], "met": bar.met(spread["median"])}
