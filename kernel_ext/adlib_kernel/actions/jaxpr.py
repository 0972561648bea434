"""``%jaxpr``: the jaxpr of a call, as text and drawn."""

from __future__ import annotations

from collections.abc import Sequence

from adlib_kernel.actions.expressions import Call
from adlib_widgets import JaxprView, show_jaxpr


def jaxpr_of_call(
    call: Call,
    *,
    parts: Sequence[str] = ("text", "graph", "table"),
    depth: int | None = None,
) -> JaxprView:
    """Trace a call and show its jaxpr.

    Args:
      call: the function and its arguments.
      parts: what a notebook shows: ``"text"``, ``"graph"``, ``"table"``.
      depth: how many levels of nested jaxprs to draw open; None for all.

    Raises:
      Exception: whatever the function raises while it is traced, unchanged.
    """
    __tracebackhide__ = True
    return show_jaxpr(call.function, depth=depth, parts=parts)(*call.args, **call.kwargs)
