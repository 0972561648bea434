"""How long the graph of a jaxpr takes: its layout, a long program opened folded, in a browser.

    python tools/measure_widgets.py [EQUATIONS]

Prints seconds, the best of some runs; on a machine that others use too, read the processor time.
"""

from __future__ import annotations

import json
import random
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import adlib
import adlib.numpy as jnp
from adlib_widgets import show_jaxpr
from adlib_widgets.layout import Box, Link, layered_layout

_PER_STEP = 15  # equations of a step's gradient

_TIMED = """
const began = performance.now();
standaloneView.render({ model, el: document.getElementById("view") });
const rendered = performance.now() - began;
requestAnimationFrame(() => requestAnimationFrame(() => {
  window.times = { rendered, shown: performance.now() - began };
}));
"""
_CALL = 'standaloneView.render({ model, el: document.getElementById("view") });'
_DRAG = """async () => {
  const svg = document.querySelector("svg.adlib-j-svg");
  svg.setPointerCapture = () => {};
  const at = svg.getBoundingClientRect();
  const send = (kind, x, y) => svg.dispatchEvent(new PointerEvent(kind,
    { pointerId: 1, button: 0, clientX: at.x + x, clientY: at.y + y, bubbles: true }));
  send("pointerdown", 300, 300);
  const frames = [];
  let last = performance.now();
  for (let i = 0; i < 60; i += 1) {
    send("pointermove", 300 - 3 * i, 300 - 6 * i);
    await new Promise(requestAnimationFrame);
    frames.push(performance.now() - last);
    last = performance.now();
  }
  send("pointerup", 0, 0);
  return frames.sort((a, b) => a - b)[30];
}"""


def network(weights: Any, inputs: Any, rows: Any) -> Any:
    """A recurrent network, its time steps unrolled."""
    state = jnp.zeros(8)
    for row in rows:
        state = jnp.tanh(weights @ state + inputs @ row)
    return (state * state).sum()


def reverse_chain(half: int) -> tuple[list[Box], list[Link]]:
    """A forward sweep and a reverse one that reads all its values, the last one first."""
    boxes = [Box(f"f{i}", 80, 40, (40,), (30, 50)) for i in range(half)]
    boxes += [Box(f"r{i}", 80, 40, (30, 50), (40,)) for i in range(half)]
    links = [Link(f"f{i}", 0, f"f{i + 1}", 0) for i in range(half - 1)]
    links += [Link(f"r{i}", 0, f"r{i + 1}", 0) for i in range(half - 1)]
    links += [Link(f"f{half - 1 - i}", 1, f"r{i}", i % 2) for i in range(half)]
    return boxes, links


def ordinary(count: int) -> tuple[list[Box], list[Link]]:
    """A graph like most programs': a box reads a few earlier ones, more often recent ones."""
    draw = random.Random(7)
    boxes, links = [], []
    for i in range(count):
        operands = min(draw.randint(0 if i < 3 else 1, 3), i)
        ports = tuple(80.0 * (k + 1) / (operands + 1) for k in range(operands))
        boxes.append(Box(f"n{i}", 80, 40, ports, (40,)))
        for k in range(operands):
            source = i - 1 - min(int(draw.expovariate(0.4)), i - 1)
            links.append(Link(f"n{source}", 0, f"n{i}", k))
    return boxes, links


def timed(what: str, run: Callable[[], Any], rounds: int = 5) -> Any:
    """Run and print the least wall clock and processor time; gives the last result."""
    wall, processor = [], []
    for _ in range(rounds):
        begin, begin_processor = time.perf_counter(), time.process_time()
        result = run()
        wall.append(time.perf_counter() - begin)
        processor.append(time.process_time() - begin_processor)
    print(f"{what:58} {min(wall):7.3f} s   processor {min(processor):7.3f} s")
    return result


def in_browser(explorer: Any, what: str) -> None:
    """Open the view's page and print when it is drawn, and how long a frame of dragging takes."""
    try:
        from playwright.sync_api import Error, sync_playwright
    except ImportError:
        print("no browser: pip install playwright")
        return
    page_text = explorer.to_html().replace(_CALL, _TIMED)
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as play:
        path = Path(folder) / "view.html"
        path.write_text(page_text, encoding="utf-8")
        chromium = Path("/usr/bin/chromium")
        options = {"executable_path": str(chromium)} if chromium.exists() else {}
        try:
            browser = play.chromium.launch(args=["--no-sandbox", "--disable-gpu"], **options)
        except Error as error:
            print(f"no browser: {str(error).splitlines()[0]}")
            return
        page = browser.new_page(viewport={"width": 1200, "height": 860})
        page.goto(path.as_uri())
        page.wait_for_function("window.times")
        times = page.evaluate("window.times")
        elements = page.evaluate("document.querySelectorAll('svg.adlib-j-svg *').length")
        frame = page.evaluate(_DRAG)
        browser.close()
    print(
        f"{what:58} {times['rendered'] / 1000:7.3f} s   on screen {times['shown'] / 1000:7.3f} s"
        f"   a frame of dragging {frame:.0f} ms   {elements} elements"
    )


def main(equations: int) -> None:
    timed("layout: 300 boxes of a reverse chain", lambda: layered_layout(*reverse_chain(150)))
    timed("layout: 300 boxes of an ordinary graph", lambda: layered_layout(*ordinary(300)))
    steps = max(equations // _PER_STEP, 2)
    args = (
        np.ones((8, 8), np.float32) / 8,
        np.ones((8, 4), np.float32),
        np.ones((steps, 4), np.float32),
    )
    function = adlib.grad(network, (0, 1))
    view = timed("trace and record", lambda: show_jaxpr(function)(*args))
    count = sum(line.kind == "equation" for line in view.listing.lines)
    print(f"  {count} equations")
    opened = timed("all of explore()", lambda: show_jaxpr(function)(*args).explore())
    state = {name: getattr(opened, name) for name in ("data", "drawing", "unfolded")}
    text = timed("JSON", lambda: json.dumps(state, allow_nan=False))
    print(f"  {len(text) / 1024:.0f} KiB")
    in_browser(opened, "browser, folded")
    first = opened.foldable[0]

    def unfold_and_fold() -> None:
        opened.unfold([first])
        opened.fold()

    timed("unfold one box and fold it again, drawn before", unfold_and_fold)
    timed("unfold everything", opened.unfold, rounds=1)
    in_browser(opened, "browser, all unfolded")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 2000)
