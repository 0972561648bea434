"""The widget that ``interact`` gives: controls above a view that follows them."""

from __future__ import annotations

import linecache
import math
import sysconfig
import time
import traceback
from numbers import Integral, Real
from typing import Any

import ipywidgets

from adlib.base import source
from adlib_widgets import html
from adlib_widgets.explorer import Explorer
from adlib_widgets.interactive_caller import Caller
from adlib_widgets.svg import escaped

_WIDGET = "application/vnd.jupyter.widget-view+json"
SLOW = 0.25  # seconds; a slower function runs when a slider is let go, not while it moves
_STEPS = 100  # of a slider whose step is not given, at least


class Interactive(ipywidgets.VBox):
    """A view, and controls that run its function again.

    Attributes:
      controls: the widgets by the names of the arguments.
      view: the static view that was drawn last; None if there was none yet.
      explorer: its interactive form; None where the view has none.
      error: what the function raised at the present arguments, or None.
      seconds: how long the last run took, drawing included.
    """

    def __init__(self, caller: Caller, arguments: dict[str, Any]) -> None:
        super().__init__()
        self._caller = caller
        self._fixed: dict[str, Any] = {}
        self._own: list[Any] = []  # sliders that follow the speed of the function
        self.controls: dict[str, Any] = {}
        self.view: Any = None
        self.explorer: Explorer | None = None
        self.error: Exception | None = None
        self.seconds = 0.0
        for name, given in arguments.items():
            self._add(name, given)
        self._picture = ipywidgets.VBox()
        self._complaint = ipywidgets.HTML()
        self._complaint.layout.display = "none"
        self.children = [*self.controls.values(), self._complaint, self._picture]
        for control in self.controls.values():
            control.observe(self._changed, "value")
        self.update()

    def _add(self, name: str, given: Any) -> None:
        if isinstance(given, ipywidgets.fixed):
            self._fixed[name] = given.value
            return
        control = control_for(name, given, self._caller.default(name))
        if control is None or name in self._caller.options:
            self._fixed[name] = given
            return
        self.controls[name] = control
        if control is not given and hasattr(control, "continuous_update"):
            self._own.append(control)

    @property
    def arguments(self) -> dict[str, Any]:
        """The present arguments by name."""
        found = {name: control.value for name, control in self.controls.items()} | self._fixed
        return {name: found[name] for name in self._caller.names}

    def _changed(self, _change: Any) -> None:
        self.update()

    def update(self) -> None:
        """Run the function at the present arguments, and draw."""
        start = time.perf_counter()
        try:
            self._draw(self._caller(self.arguments))
        except Exception as error:  # the sliders must live on, whatever the function raises
            self._complain(error)
        self.seconds = time.perf_counter() - start
        for slider in self._own:
            slider.continuous_update = self.seconds < SLOW

    def _draw(self, view: Any) -> None:
        if type(view) is not type(self.view):
            if self.explorer is not None:
                self.explorer.close()
            self.explorer = _explorer(view)
            self._picture.children = [self.explorer or ipywidgets.HTML()]
        elif self.explorer is not None:
            self.explorer.show(view)
        self.view, self.error = view, None
        if self.explorer is None:
            (plain,) = self._picture.children
            plain.value = view._repr_mimebundle_()["text/html"]
        self._complaint.layout.display = "none"
        self._picture.layout.display = None

    def _complain(self, error: Exception) -> None:
        self.error = error
        self._complaint.value = complaint_html(error)
        self._complaint.layout.display = None
        self._picture.layout.display = "none"

    def __repr__(self) -> str:
        return repr(self.view) if self.error is None else "\n".join(complaint(self.error))

    def _repr_mimebundle_(self, **kwargs: Any) -> Any:
        """The widget, and beside it the static view: deterministic, and shown without scripts."""
        bundle = super()._repr_mimebundle_(**kwargs)
        data = bundle[0] if isinstance(bundle, tuple) else bundle or {}
        widget = {kind: data[kind] for kind in (_WIDGET,) if kind in data}
        if self.error is None:
            return {**self.view._repr_mimebundle_(), **widget}
        static = {"text/plain": repr(self), "text/html": complaint_html(self.error)}
        return {**static, **widget}


def _explorer(view: Any) -> Explorer | None:
    """The view's interactive form, if it has one and what that needs is installed."""
    explore = getattr(view, "explore", None)
    if explore is None:
        return None
    try:
        return explore()  # type: ignore[no-any-return]
    except ImportError:
        return None


# ------------------------------------------------------------------ controls


def control_for(name: str, given: Any, default: Any = None) -> Any:
    """The widget for an abbreviation, or None where the argument is fixed.

    Args:
      name: its label.
      given: see ``interact``.
      default: where a slider or a choice starts, if it can.

    >>> control_for("x", (0.0, 3.0)).value, control_for("n", (1, 5)).value
    (1.5, 3)
    >>> control_for("x", 2.0) is None
    True
    """
    if isinstance(given, ipywidgets.Widget):
        if not hasattr(given, "value"):
            raise TypeError(
                f"interact() cannot follow {name}={type(given).__name__}(): it has no value. "
                "Repair: pass a widget such as FloatSlider or Dropdown."
            )
        return given
    if isinstance(given, bool):
        return ipywidgets.Checkbox(value=given, description=name)
    if isinstance(given, tuple) and len(given) in (2, 3) and all(map(_is_number, given)):
        return _slider(name, given, default)
    if isinstance(given, (list, dict)) and _is_choice(given):
        return _choice(name, given, default)
    return None


def _is_number(value: Any) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool)


def _is_choice(given: list[Any] | dict[str, Any]) -> bool:
    """A list of numbers, texts or functions; lists and dicts of arrays are pytrees, and fixed."""
    items = given.values() if isinstance(given, dict) else given
    plain = all(isinstance(item, (Real, str)) or callable(item) for item in items)
    return plain and len(given) > 0


def _slider(name: str, given: tuple[Any, ...], default: Any) -> Any:
    low, high = given[:2]
    if not low < high:
        raise ValueError(
            f"a slider needs (least, most) with least < most; {name} was given {given!r}."
        )
    inside = _is_number(default) and low <= default <= high
    if all(isinstance(value, Integral) for value in given):
        step = int(given[2]) if len(given) == 3 else 1
        value = int(default) if inside else (int(low) + int(high)) // 2
        return ipywidgets.IntSlider(value, int(low), int(high), step, description=name)
    low, high = float(low), float(high)
    step = float(given[2]) if len(given) == 3 else 10.0 ** math.floor(math.log10(high - low) - 2)
    value = float(default) if inside else (low + high) / 2
    return ipywidgets.FloatSlider(
        value, min=low, max=high, step=step, description=name, readout_format=".4g"
    )


def _choice(name: str, given: list[Any] | dict[str, Any], default: Any) -> Any:
    def label(item: Any) -> str:
        return getattr(item, "__name__", str(item))

    options = list(given.items()) if isinstance(given, dict) else [(label(i), i) for i in given]
    values = [value for _, value in options]
    start = default if any(default is value or default == value for value in values) else values[0]
    return ipywidgets.Dropdown(options=options, value=start, description=name)


# ------------------------------------------------------------------ errors


def complaint(error: Exception) -> list[str]:
    """An error in a few lines: class and message, then the user's line."""
    lines = [f"{type(error).__name__}: {error}".rstrip(": ")]
    where = _users_line(error)
    if where and where not in lines[0]:
        lines.append(f"  {where}")
    return lines


def complaint_html(error: Exception) -> str:
    """The same for the place where the picture was."""
    first, *rest = complaint(error)
    style = "border-left:4px solid #b3261e;padding:6px 12px;margin:4px 0"
    head = f"<b>{escaped(type(error).__name__)}</b>"
    message = escaped(first.removeprefix(type(error).__name__).removeprefix(": "))
    where = html.preformatted("\n".join(line.strip() for line in rest)) if rest else ""
    text = f'<span style="white-space:pre-wrap">{message}</span>'
    return f'<div role="alert" style="{style}">{head}<br>{text}{where}</div>'


def _users_line(error: Exception) -> str:
    """``In[3]:2: y = x / 0``: the innermost line that is neither adlib's nor another library's."""
    libraries = tuple({sysconfig.get_path(name) for name in ("stdlib", "purelib", "platlib")})
    for frame, line in reversed(list(traceback.walk_tb(error.__traceback__))):
        file = frame.f_code.co_filename
        if source.is_internal(frame.f_code) or file.startswith((*libraries, "<frozen")):
            continue
        linecache.checkcache(file)
        return source.describe(source.SourceLocation(frame.f_code, line))
    return ""
