"""``interact``: any view again and again, as its function's arguments are moved by sliders."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from adlib_widgets.interactive_caller import Caller


def interact(show: Callable[..., Any], /, **arguments: Any) -> Any:
    """A view with controls for the arguments of its function.

    Args:
      show: what ``show_flow(f)``, ``show_jacobian(f)``, … give, or any function that returns a
        view.
      arguments: by the names of f's parameters. As in ipywidgets, a tuple of two or three
        numbers, ``(least, most)`` or ``(least, most, step)``, is a slider (of floats if any of
        them is one), a list or a dict a choice, a bool a checkbox, and a widget is itself.
        Anything else is fixed: numbers, strings, arrays, other pytrees, ``ipywidgets.fixed``.
        Options of the view, such as ``tangent=`` of ``show_flow``, are fixed too.

    What decides the course of Python's own ``if`` and ``for`` must not be traced; a function that
    gives the view keeps it apart: ``interact(lambda x, n: show_flow(lambda x: f(x, n))(x), …)``.

    Returns:
      An ``Interactive``: a widget with the controls above the view. Every change runs f again
      and swaps the picture; an error that f raises is shown in the picture's place.

    Raises:
      ImportError: if the Python package ipywidgets is not installed.
      TypeError: for a name that f does not have, or an argument that it lacks.

    >>> import adlib.numpy as jnp
    >>> from adlib_widgets import show_flow
    >>> box = interact(show_flow(lambda x, y: jnp.sin(x) * y), x=(0.0, 3.0), y=2.0)
    >>> box.arguments
    {'x': 1.5, 'y': 2.0}
    >>> box.controls["x"].value = 0.0
    >>> box.view.record.outputs[0].tangent.text()
    '2'
    """
    try:
        import ipywidgets  # noqa: F401
    except ImportError:
        raise ImportError(
            "interact() needs the Python package ipywidgets: "
            "pip install 'adlib-jupyter[notebook]'. The views themselves show without it."
        ) from None
    from adlib_widgets.interactive_box import Interactive

    caller = Caller(show, arguments)
    return Interactive(caller, arguments)
