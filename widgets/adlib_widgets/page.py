"""An interactive view as one HTML file that needs neither a kernel nor the network."""

from __future__ import annotations

import html
import json
from typing import Any

from adlib_widgets.bundle import script, style

_PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>{title}</title>
<style>:root {{ color-scheme: light dark; }} body {{ margin: 12px; background: Canvas; }}
{style}</style>
<body><div id="view"></div>
<script type="application/json" id="state">{state}</script>
<script type="module">
{script}
const values = JSON.parse(document.getElementById("state").textContent);
const listeners = new Map();
const model = {{
  get: (name) => values[name],
  set: (name, value) => {{
    values[name] = value;
    for (const event of [`change:${{name}}`, "change"])
      for (const listener of listeners.get(event) ?? []) listener();
  }},
  save_changes() {{}},
  on: (event, listener) => listeners.set(event, [...(listeners.get(event) ?? []), listener]),
  off: (event, listener) =>
    listeners.set(event, (listeners.get(event) ?? []).filter((one) => one !== listener)),
  send: null,
}};
{renderer}.render({{ model, el: document.getElementById("view") }});
</script></body></html>
"""


def standalone(name: str, state: dict[str, Any], *, title: str) -> str:
    """The page of the view ``name`` with these traits; what asks the kernel is switched off."""
    # "</script" must not end the element early; JSON may write "<" as an escape
    data = json.dumps(state, sort_keys=True, allow_nan=False).replace("<", "\\u003c")
    module = script(name).replace("export default", "const standaloneView =", 1)
    return _PAGE.format(
        title=html.escape(title),
        style=style(name),
        state=data,
        script=module.replace("</script", "<\\/script"),
        renderer="standaloneView",
    )
