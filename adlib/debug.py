"""``adlib.debug``: looking into programs while they run."""

from __future__ import annotations

import logging
import pdb
import string
import sys
from typing import Any

from adlib.base.source import here
from adlib.control.callbacks import callback

_log = logging.getLogger("adlib.debug")


class _Fields(string.Formatter):
    """Finds out which arguments a format text uses."""

    def __init__(self, values: Any) -> None:
        self.values = values

    def check_unused_args(self, used: Any, args: Any, kwargs: Any) -> None:
        unused = [value for i, value in enumerate(self.values) if i not in used]
        names = [name for name in kwargs if name not in used]
        if unused:
            raise ValueError(
                f"Unused positional arguments to `debug.print`: {unused}.{here()}\n  Repair: one "
                "{} in the text for each of them."
            )
        if names:
            raise ValueError(
                f"Unused keyword arguments to `debug.print`: {names}.{here()}\n  Repair: name them "
                f"in the text, as {{{names[0]}}}."
            )


class _Anything:
    """Stands for a value that is not known yet, whatever the format wants of it."""

    def __format__(self, spec: str) -> str:
        return ""

    def __getattr__(self, name: str) -> _Anything:
        return self

    def __getitem__(self, key: Any) -> _Anything:
        return self


def print(  # noqa: A001 (the published name)
    fmt: str,
    *args: Any,
    ordered: bool = False,
    partitioned: bool = False,
    skip_format_check: bool = False,
    _use_logging: bool = False,
    **kwargs: Any,
) -> None:
    """Print values when the program runs, within ``jit``, ``grad``, ``vmap``, ``scan`` and all.

    Args:
      fmt: text with ``{}`` or ``{name}`` where values go, as for ``str.format``.
      args, kwargs: the values, trees of arrays.
      ordered, partitioned: taken for compatibility: lines come in the program's order always.
      skip_format_check: do not check the text before the program runs.

    Raises:
      ValueError: a value that the text does not use.
      KeyError, IndexError: a name or place in the text that has no value.

    >>> import adlib
    >>> @adlib.jit
    ... def f(x):
    ...     adlib.debug.print("x = {x}", x=x)
    ...     return x
    >>> _ = f(2.0)
    x = 2.0
    """
    if not isinstance(fmt, str):
        raise TypeError(
            f"debug.print wants a text first; it was given {fmt!r}.{here()}\n  Repair: "
            'debug.print("{}", value).'
        )
    if not skip_format_check:
        anything = _Anything()
        _Fields(args).format(fmt, *[anything] * len(args), **dict.fromkeys(kwargs, anything))

    def show(*args: Any, **kwargs: Any) -> None:
        text = fmt.format(*args, **kwargs)
        if _use_logging:
            _log.info(text)
        else:
            sys.stdout.write(f"{text}\n")
            sys.stdout.flush()

    callback(show, *args, **kwargs)


def breakpoint(*, backend: str | None = None, filter_frames: bool = True, **_: Any) -> None:  # noqa: A001
    """Stop in Python's debugger when the program gets here, with the values around the call.

    The local variables of the calling function are given as ``frame_locals``, with the values of
    this run where they are arrays. In a notebook the debugger asks in the cell's output.

    Args:
      backend, filter_frames: taken for compatibility.

    >>> import adlib, adlib.numpy as jnp
    >>> def f(x):
    ...     if bool(x < 0):
    ...         adlib.debug.breakpoint()  # look at x here
    ...     return jnp.sqrt(x)
    >>> f(4.0)
    Array(2., dtype=float32, weak_type=True)
    """
    frame = sys._getframe(1)
    known = {k: v for k, v in frame.f_locals.items() if _is_plain(v)}
    place = f"{frame.f_code.co_name}, line {frame.f_lineno}"

    def stop(frame_locals: dict[str, Any]) -> None:
        debugger = _debugger()
        sys.stdout.write(f"stopped in {place}; frame_locals holds {', '.join(frame_locals)}\n")
        debugger.set_trace(sys._getframe(0))

    callback(stop, known)


def _is_plain(value: Any) -> bool:
    return hasattr(value, "aval") or isinstance(value, (bool, int, float, complex, str))


def _debugger() -> Any:
    ipython = sys.modules.get("IPython")  # never imported for this
    if ipython is not None and ipython.get_ipython() is not None:
        return sys.modules["IPython.core.debugger"].Pdb()
    return pdb.Pdb()


__all__ = ["breakpoint", "callback", "print"]
