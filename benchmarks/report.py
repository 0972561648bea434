"""Turn the plain data of a run into a console table, Markdown, and JSON."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from .case import FASTEST, SUBJECT

DASH = "–"
NAMES = {
    "adlib": "adlib",
    "jax": "JAX",
    "autograd": "autograd",
    "torch": "PyTorch",
    "numba": "Numba",
    "cupy": "CuPy",
}
NEAR = "How near adlib comes to the machine's limits"
# Rows of a run, by heading, whose ratios to JAX have a geometric mean to hold.
MEANS = {"Compiled": ("speed", 0.5), "First call": ("first", 0.25), "GPU": ("speed", 1.0)}


def seconds(value: float) -> str:
    """Three significant digits with a unit: 12.3 µs, 4.56 ms, 0.789 s."""
    for scale, unit in ((1e-6, "µs"), (1e-3, "ms")):
        if value < 999.5 * scale:
            return f"{value / scale:.3g} {unit}"
    return f"{value:.3g} s"


def ratio(spread: Mapping[str, float] | None) -> str:
    """Median and quartiles: 0.52 [0.50–0.55]."""
    if spread is None:
        return DASH
    return f"{spread['median']:.2f} [{spread['q1']:.2f}–{spread['q3']:.2f}]"


def verdict(row: Mapping[str, Any]) -> str:
    """met, or what was missed; adlib's own errors come first."""
    failed = [name for name in row["errors"] if name.split()[0] == SUBJECT]
    if failed:
        return "ERROR"
    missed = [bar["bar"] for bar in row["bars"] if bar["met"] is False]
    if missed:
        return "MISSED " + ", ".join(missed)
    if any(bar["met"] for bar in row["bars"]):
        return "met"
    return DASH


def timing_cells(row: Mapping[str, Any], libraries: Sequence[str]) -> list[str]:
    """One line of the speed table."""
    cells = [row["case"]]
    for library in libraries:
        entry = row["libraries"].get(library)
        failed = any(name.split()[0] == library for name in row["errors"])
        cells.append(seconds(entry["seconds"]["median"]) if entry else "error" if failed else DASH)
    cells.append(ratio(row["ratios"].get("jax")))
    fastest = row["ratios"].get(FASTEST)
    who = f" {NAMES[row['fastest_peer']]}" if fastest else ""
    cells.append(ratio(fastest) + who)
    cells.append(verdict(row))
    return cells


def timing_header(libraries: Sequence[str]) -> list[str]:
    names = [NAMES.get(library, library) for library in libraries]
    return ["case", *names, "adlib / JAX", "adlib / fastest peer", "bars"]


def memory_cells(row: Mapping[str, Any], libraries: Sequence[str]) -> list[str]:
    """One line of the memory table; the traced peak of libraries on NumPy in brackets."""
    cells = [row["case"]]
    for library in libraries:
        entry = row["libraries"].get(library)
        failed = any(name.split()[0] == library for name in row["errors"])
        if entry is None:
            cells.append("error" if failed else DASH)
            continue
        cell = f"{entry['megabytes']['median']:.0f} MB"
        if "traced_megabytes" in entry:
            cell += f" ({entry['traced_megabytes']:.0f})"
        cells.append(cell)
    limits = ", ".join(bar["bar"] for bar in row["bars"]) or DASH
    return [*cells, limits, verdict(row)]


def memory_header(libraries: Sequence[str]) -> list[str]:
    names = [NAMES.get(library, library) for library in libraries]
    return ["case", *names, "limit", "bars"]


def first_cells(row: Mapping[str, Any], libraries: Sequence[str]) -> list[str]:
    """One line of the table of first calls."""
    spreads = [row["libraries"].get(name) for name in (SUBJECT, "jax")] + [row.get("again")]
    cells = [seconds(s["seconds"]["median"]) if s else DASH for s in spreads]
    return [row["case"], *cells[:2], ratio(row["ratios"].get("jax")), cells[2], verdict(row)]


def first_header(libraries: Sequence[str]) -> list[str]:
    return ["case", "adlib", "JAX", "adlib / JAX", "adlib, code on disk", "bars"]


def limit_cells(row: Mapping[str, Any], libraries: Sequence[str]) -> list[str]:
    """One line of the table of limits: adlib's rate, and its part of what the machine can do."""
    cells = [row["case"]]
    for name, unit in (("flops", "GFLOP"), ("bytes", "GB")):
        found = row["limits"].get(name)
        if found is None:
            cells += [DASH, DASH, DASH]
            continue
        part = found["part"]
        own = found["rate"] * part["median"]
        percents = [f"{100 * part[key]:.0f}" for key in ("median", "q1", "q3")]
        cells.append(f"{found['needed'] / 1e9:.3g} {unit}")
        cells.append(f"{own / 1e9:.3g} of {found['rate'] / 1e9:.3g} {unit}/s")
        cells.append(f"{percents[0]} [{percents[1]}–{percents[2]}] %")
    return cells


def limit_header(libraries: Sequence[str]) -> list[str]:
    return ["case", "work", "rate of BLAS", "part", "memory", "rate of a copy", "part"]


def means(run: Mapping[str, Any]) -> list[tuple[str, float, float]]:
    """(heading, geometric mean of adlib / JAX, its bar) where there are such rows."""
    found = []
    for heading, (kind, limit) in MEANS.items():
        rows = [row for row in run.get(kind, ()) if row["group"] == heading]
        logs = [math.log(r["ratios"]["jax"]["median"]) for r in rows if "jax" in r["ratios"]]
        if len(logs) > 1:
            found.append((heading, math.exp(sum(logs) / len(logs)), limit))
    return found


def mean_lines(run: Mapping[str, Any]) -> list[str]:
    return [
        f"{heading}: geometric mean of adlib / JAX {value:.2f}, wanted ≤ {limit:g}"
        for heading, value, limit in means(run)
    ]


def sections(run: Mapping[str, Any]) -> list[tuple[str, list[str], list[list[str]]]]:
    """(heading, header, lines) of every table of a run, in order."""
    libraries = run["environment"]["libraries"]
    tables: list[tuple[str, list[str], list[list[str]]]] = []
    near = [{**row, "group": NEAR} for row in run["speed"] if row.get("limits")]
    for rows, header, cells in (
        (run["speed"] + run["imports"], timing_header(libraries), timing_cells),
        (near, limit_header(libraries), limit_cells),
        (run.get("first", []), first_header(libraries), first_cells),
        (run["memory"], memory_header(libraries), memory_cells),
    ):
        for group in dict.fromkeys(row["group"] for row in rows):
            lines = [cells(row, libraries) for row in rows if row["group"] == group]
            tables.append((group, header, lines))
    return tables


def text_table(header: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    """Columns aligned for a terminal."""
    widths = [max(map(len, column)) for column in zip(header, *lines, strict=True)]

    def line(cells: Sequence[str]) -> str:
        padded = [cell.ljust(width) for cell, width in zip(cells, widths, strict=True)]
        return "  ".join(padded).rstrip()

    return "\n".join([line(header), line(["-" * width for width in widths]), *map(line, lines)])


def markdown_table(header: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    def line(cells: Sequence[str]) -> str:
        return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"

    return "\n".join([line(header), line(["---"] * len(header)), *map(line, lines)])


def text(run: Mapping[str, Any]) -> str:
    """What the command prints."""
    parts = [f"{heading}\n{text_table(*table)}" for heading, *table in sections(run)]
    return "\n\n".join([*parts, *mean_lines(run), *error_lines(run)])


def error_lines(run: Mapping[str, Any]) -> list[str]:
    """One line for every error and disagreement: the last line of its traceback."""
    return [
        f"{row['case']}: {name}: {message.strip().splitlines()[-1]}"
        for row in all_rows(run)
        for name, message in row["errors"].items()
    ]


def markdown(run: Mapping[str, Any]) -> str:
    """The whole run as a document: environment, tables, what each case is."""
    environment = run["environment"]
    versions = ", ".join(
        f"{NAMES.get(name, name)} {version}" for name, version in environment["versions"].items()
    )
    out = [
        "# Benchmark results",
        f"{environment['date']} · {environment['processor']}, {environment['cores']} cores, "
        f"{environment['threads']} thread(s) per library · Python {environment['python']}, "
        f"{versions} · {environment['rounds']} alternating rounds, {environment['clock']} time, "
        f"load average {environment['load_before']:.1f} before and "
        f"{environment['load_after']:.1f} after.",
        "Times are medians of one call; ratios are medians over rounds with [lower–upper "
        "quartile]. Memory is the peak that one call adds to the resident set; in brackets the "
        "peak of NumPy's own allocations.",
    ]
    for heading, *table in sections(run):
        out += [f"## {heading}", markdown_table(*table)]
    if means(run):
        out += ["## Means", "\n".join(f"- {line}." for line in mean_lines(run))]
    if error_lines(run):
        out += ["## Errors", "\n".join(f"- {line}" for line in error_lines(run))]
    titles = {row["case"]: row["title"] for row in all_rows(run)}
    out += ["## Cases", "\n".join(f"- `{name}`: {title}." for name, title in titles.items())]
    return "\n\n".join(out) + "\n"


def all_rows(run: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [*run["speed"], *run["imports"], *run.get("first", ()), *run["memory"]]


def missed(run: Mapping[str, Any]) -> list[str]:
    """Every bar that is missed or could not be measured, one line each."""
    lines = []
    for row in all_rows(run):
        for bar in row["bars"]:
            name = f"{row['case']}, first call" if row["group"] == "First call" else row["case"]
            if bar["met"] is False:
                unit = f" {bar['bar'][-2:]}" if bar["bar"][-2:] in ("MB", "ms") else ""
                lines.append(f"{name}: {bar['value']:.3g}{unit}, wanted {bar['bar']}")
            elif bar["met"] is None:
                lines.append(f"{name}: nothing measured, wanted {bar['bar']}")
    lines += [
        f"{heading}: geometric mean {value:.3g}, wanted ≤ {limit:g}"
        for heading, value, limit in means(run)
        if value > limit
    ]
    return lines


def write(run: Mapping[str, Any], folder: Path) -> list[Path]:
    """Write latest.json and latest.md into a folder; returns their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    json_path, markdown_path = folder / "latest.json", folder / "latest.md"
    json_path.write_text(json.dumps(run, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    markdown_path.write_text(markdown(run), encoding="utf-8")
    return [json_path, markdown_path]
