"""How fast the views are: ``python -m benchmarks.views`` prints a table and keeps it.

Times are seconds of the processor, in Python and in the page's main thread, so that a busy machine
does not count; the best of several. The browser's part needs Playwright and a Chromium.
"""

from __future__ import annotations

import json
import platform
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

import adlib
import adlib.numpy as jnp
import adlib_widgets
from adlib_widgets.layout import Box, Link, layered_layout

RESULTS = Path(__file__).parent / "results" / "views.md"
MOVES = 60


def best(function: Callable[[], Any], rounds: int = 5) -> float:
    """Seconds of the processor for one call, the least of several."""
    seconds = []
    for _ in range(rounds):
        start = time.process_time()
        function()
        seconds.append(time.process_time() - start)
    return min(seconds)


def unrolled(weights: Any, rows: Any) -> Any:
    state = jnp.zeros(3)
    for row in rows:
        state = jnp.tanh(weights @ state + row)
    return state.sum()


def large_view() -> Any:
    """The gradient of an unrolled recurrent network: more than 2,000 equations."""
    rows = np.ones((180, 3), np.float32)
    return adlib_widgets.show_jaxpr(adlib.grad(unrolled))(np.ones((3, 3), np.float32) / 4, rows)


def reverse_chain(count: int) -> tuple[list[Box], list[Link]]:
    """A chain whose links come back in reverse order: the worst case known for the layout."""
    half = count // 2
    names = [f"f{i}" for i in range(half)] + ["turn"] + [f"r{i}" for i in reversed(range(half))]
    boxes = [Box(name, 60, 30, (20.0, 40.0), (30.0,)) for name in names]
    links = [Link(a, 0, b, 0) for a, b in zip(names, names[1:], strict=False)]
    links += [Link(f"f{i}", 0, f"r{i}", 1) for i in range(half)]
    return boxes, links


def layer(scale: Any, w: Any, x: Any) -> Any:
    return jnp.sum(jnp.tanh(scale * (w @ x)) ** 2)


def slider(show: Any) -> float:
    """One move of a slider: the function runs, the record is made, the picture is swapped."""
    weights, x = np.ones((8, 6), np.float32), np.ones(6, np.float32)
    box = adlib_widgets.interact(show(layer), scale=(0.1, 2.0), w=weights, x=x)
    values = iter(np.linspace(0.2, 1.8, 9))
    return best(lambda: setattr(box.controls["scale"], "value", float(next(values))), rounds=9)


def in_the_page(explorer: Any) -> dict[str, float]:
    """Seconds of the page's main thread: to open the folded graph, and for a frame of a drag."""
    from tests.browser.test_large_programs import PAN
    from tests.browser_page import ModulePage, running_browser
    from tools.chromium import find

    with running_browser(find()) as browser:
        page = ModulePage(browser.new_page())
        session = page.page.context.new_cdp_session(page.page)
        session.send("Performance.enable", {"timeDomain": "threadTicks"})

        def seconds() -> float:
            metrics = session.send("Performance.getMetrics")["metrics"]
            return float(next(m["value"] for m in metrics if m["name"] == "TaskDuration"))

        start = seconds()
        shown = page.explore(explorer)
        shown.el.locator(".adlib-j-tile").first.wait_for()
        opened = seconds()
        shown.evaluate(PAN, MOVES)
        return {"open": opened - start, "frame": (seconds() - opened) / MOVES}


Row = tuple[str, float, str]


def of_large_programs() -> list[Row]:
    start = time.process_time()
    explorer = large_view().explore()
    json.dumps([explorer.data, explorer.drawing])
    in_python = time.process_time() - start
    page = in_the_page(explorer)
    boxes, links = reverse_chain(301)
    layout = best(lambda: layered_layout(boxes, links))
    return [
        ("2,000 equations open folded: trace, record, layout, page", in_python + page["open"], "2"),
        ("one frame while they are dragged", page["frame"], "0.016"),
        ("layout of 301 boxes, the worst case known", layout, "0.5"),
    ]


def of_sliders() -> list[Row]:
    views = {
        "flow": adlib_widgets.show_flow,
        "Jacobian": adlib_widgets.show_jacobian,
        "memory": adlib_widgets.show_memory,
        "jaxpr": adlib_widgets.show_jaxpr,
        "NaN": adlib_widgets.why_nan,
        "derivation": lambda f: adlib_widgets.show_derivation(f, "grad"),
    }
    return [(f"a slider's move, {name}", slider(show), "0.1") for name, show in views.items()]


def main() -> None:
    head = (
        f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC · {platform.machine()}, Python "
        f"{platform.python_version()}, adlib {adlib.__version__} · seconds of the processor"
    )
    rows = [*of_large_programs(), *of_sliders()]
    lines = [
        "# How fast the views are",
        "",
        head,
        "",
        "| what | seconds | at most |",
        "|---|---|---|",
    ]
    lines += [f"| {name} | {seconds:.3f} | {bar} |" for name, seconds, bar in rows]
    RESULTS.write_text("\n".join(lines) + "\n", encoding="utf-8")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
