"""``%flow``, ``%jacobian``, ``%admem``, ``%whynan`` and ``%derive``: the views of adlib_widgets."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from typing import Any

from adlib_kernel.actions.expressions import Call
from adlib_kernel.actions.mistakes import MagicMistake
from adlib_kernel.actions.problems import is_float_tree
from adlib_widgets import show_derivation, show_flow, show_jacobian, show_memory, why_nan

KINDS = ("grad", "jvp", "linearize", "vmap", "jit")
_VIEWS: dict[str, Callable[..., Any]] = {
    "flow": show_flow,
    "admem": show_memory,
    "whynan": why_nan,
}


def view_of_call(name: str, call: Call) -> Any:
    """The view that ``%flow``, ``%admem`` or ``%whynan`` shows of a call.

    Args:
      name: the magic's name without its sign.
      call: the function and its arguments.

    Raises:
      MagicMistake: if no argument holds floats, and derivatives are to be shown.
      Exception: whatever the function raises.

    >>> view_of_call("whynan", Call("f(x)", lambda x: x * 2.0, (1.0,), {}))
    No NaN and no infinity: the function and its derivatives are finite here.
    """
    __tracebackhide__ = True
    given = (*call.args, *call.kwargs.values())
    if name != "whynan" and given and not any(map(is_float_tree, given)):
        raise MagicMistake(
            f"%{name} {call.text}: no argument is a float or an array of floats, so there is "
            "nothing to differentiate with respect to. Write 2.0 instead of 2."
        )
    return _VIEWS[name](call.function)(*call.args, **call.kwargs)


def shown(view: Any, widget: bool) -> Any:
    """A view as it is, or its interactive form where a widget is asked for.

    Raises:
      MagicMistake: if the packages that widgets need are not installed.
    """
    if not widget:
        return view
    try:
        return view.explore()
    except ImportError as error:
        raise MagicMistake(f"--widget: {error}") from None


def jacobian_of_call(call: Call, magic: str) -> Any:
    """The Jacobian of a call with respect to its positional arguments that hold floats.

    Raises:
      MagicMistake: if none does.
      Exception: whatever the function raises.
    """
    __tracebackhide__ = True
    shown = show_jacobian(call.function, argnums=_float_positions(call, magic))
    return shown(*call.args, **call.kwargs)


def derivation_of_call(call: Call, kind: str, magic: str) -> Any:
    """The programs between a call and what a transformation makes of it.

    Args:
      call: the function and its arguments.
      kind: one of ``KINDS``.
      magic: the magic's name as typed, for messages.

    Raises:
      MagicMistake: another kind, or no floats to differentiate with respect to.
      Exception: whatever the function raises.
    """
    __tracebackhide__ = True
    if kind not in KINDS:
        near = difflib.get_close_matches(kind, KINDS, n=1)
        hint = f" Did you mean {near[0]}?" if near else ""
        raise MagicMistake(f"{magic}: --kind takes {', '.join(KINDS)}; {kind!r} is none.{hint}")
    positions: Any = 0
    if kind not in ("vmap", "jit"):
        positions = _float_positions(call, magic)
    return show_derivation(call.function, kind, argnums=positions)(*call.args, **call.kwargs)


def _float_positions(call: Call, magic: str) -> int | tuple[int, ...]:
    positions = tuple(i for i, value in enumerate(call.args) if is_float_tree(value))
    if not positions:
        raise MagicMistake(
            f"{magic} {call.text}: no positional argument is a float or an array of floats, so "
            "there is nothing to differentiate with respect to. Write 2.0 instead of 2."
        )
    return positions[0] if len(positions) == 1 else positions
