"""Speed cases: check that all libraries agree, then time them in alternating rounds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from .case import FASTEST, SUBJECT, Bar, Case
from .client import WorkerError
from .stats import Spread, calls_per_batch, disagreement, fastest, ratio_spread

BATCH_SECONDS = 0.03
# A case takes no longer than this where that leaves FEWEST_ROUNDS.
CASE_SECONDS = 20.0
FEWEST_ROUNDS = 5


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
    limits: dict[str, list[float]] = {}
    round_seconds = 0.0
    results: dict[tuple[str, int], Any] = {}
    for library, worker in workers.items():
        for form in range(len(case.forms.get(library, ()))):
            try:
                reply = worker.call("prepare", case.name, form)
            except WorkerError as error:
                errors[_form_name(case, library, form)] = str(error)
                continue
            calls[library, form] = calls_per_batch(reply["seconds"], BATCH_SECONDS)
            round_seconds += calls[library, form] * reply["seconds"]
            results[library, form] = reply["result"]
    for key in _disagreeing(case, results, errors):
        del calls[key]
    affordable = int(CASE_SECONDS / round_seconds) if round_seconds else rounds
    rounds = min(rounds, max(affordable, FEWEST_ROUNDS))
    times = _alternate(case, workers, calls, rounds, clock, limits)
    for worker in workers.values():
        worker.call("release")
    return summarize(case, times, errors, limits)


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
    limits: dict[str, list[float]],
) -> dict[tuple[str, int], list[float]]:
    """Every form once per round; the order rotates, so that none always follows the same one.

    Where the case says how much it has to compute or to move, ``limits`` is filled with what the
    machine could do in each round.
    """
    keys = list(calls)
    times: dict[tuple[str, int], list[float]] = {key: [] for key in keys}
    for index in range(rounds if keys else 0):
        shift = index % len(keys)
        for key in keys[shift:] + keys[:shift]:
            library, form = key
            times[key].append(workers[library].call("time", case.name, form, calls[key], clock))
        if (case.flops or case.bytes) and SUBJECT in workers:
            for name, rate in workers[SUBJECT].call("limits", 8 if case.x64 else 4, clock).items():
                limits.setdefault(name, []).append(rate)
    return times


def summarize(
    case: Case,
    times: Mapping[tuple[str, int], list[float]],
    errors: Mapping[str, str],
    limits: Mapping[str, list[float]] | None = None,
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
    peers = {name: values for name, values in best.items() if name != SUBJECT}
    if SUBJECT in best and peers:
        for name, values in peers.items():
            row["ratios"][name] = ratio_spread(best[SUBJECT], values).as_dict()
        row["fastest_peer"] = fastest(peers)
        row["ratios"][FASTEST] = row["ratios"][row["fastest_peer"]]
    if limits and SUBJECT in best:
        row["limits"] = _near(case, best[SUBJECT], limits)
    parts = {name: found["part"] for name, found in row.get("limits", {}).items()}
    row["bars"] = [judge(bar, {**row["ratios"], **parts}) for bar in case.bars]
    return row


def _near(
    case: Case, seconds: list[float], limits: Mapping[str, list[float]]
) -> dict[str, dict[str, float]]:
    """For ``flops`` and ``bytes``: how many the case needs, how many a second the machine can do,
    and which part of that adlib reaches, round by round."""
    found = {}
    for name, rates in limits.items():
        needed = getattr(case, name)
        if needed:
            parts = [needed / rate / own for rate, own in zip(rates, seconds, strict=True)]
            rate = Spread.of(rates).median
            found[name] = {"needed": needed, "rate": rate, "part": Spread.of(parts).as_dict()}
    return found


def judge(bar: Bar, ratios: Mapping[str, Mapping[str, float]]) -> dict[str, Any]:
    """A bar with its value; ``met`` is None where there is nothing to hold it against."""
    spread = ratios.get(bar.against)
    if spread is None:
        return {"bar": str(bar), "value": None, "met": None}
    return {"bar": str(bar), "value": spread["median"], "met": bar.met(spread["median"])}
