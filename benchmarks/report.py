"""Turn the plain data of a run into a console table, Markdown, and JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from .case import FASTEST, SUBJECT

DASH = "–"
NAMES = {"adlib": "adlib", "jax": "JAX", "autograd": "autograd", "torch": "PyTorch"}


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


def sections(run: Mapping[str, Any]) -> list[tuple[str, list[str], list[list[str]]]]:
    """(heading, header, lines) of every table of a run, in order."""
    libraries = run["environment"]["libraries"]
    tables: list[tuple[str, list[str], list[list[str]]]] = []
    for rows, header, cells in (
        (run["speed"] + run["imports"], timing_header(libraries), timing_cells),
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
    return "\n\n".join([*parts, *error_lines(run)])


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
    if error_lines(run):
        out += ["## Errors", "\n".join(f"- {line}" for line in error_lines(run))]
    out += ["## Cases", "\n".join(f"- `{row['case']}`: {row['title']}." for row in all_rows(run))]
    return "\n\n".join(out) + "\n"


def all_rows(run: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [*run["speed"], *run["imports"], *run["memory"]]


def missed(run: Mapping[str, Any]) -> list[str]:
    """Every bar that is missed or could not be measured, one line each."""
    lines = []
    for row in all_rows(run):
        for bar in row["bars"]:
            if bar["met"] is False:
                unit = " MB" if bar["bar"].endswith("MB") else ""
                lines.append(f"{row['case']}: {bar['value']:.3g}{unit}, wanted {bar['bar']}")
            elif bar["met"] is None:
                lines.append(f"{row['case']}: nothing measured, wanted {bar['bar']}")
    return lines


def write(run: Mapping[str, Any], folder: Path) -> list[Path]:
    """Write latest.json and latest.md into a folder; returns their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    json_path, markdown_path = folder / "latest.json", folder / "latest.md"
    json_path.write_text(json.dumps(run, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    markdown_path.write_text(markdown(run), encoding="utf-8")
    return [json_path, markdown_path]
