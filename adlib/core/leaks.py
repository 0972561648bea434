"""Who holds a tracer that should be gone: the search behind ``jax_check_tracer_leaks``.

It goes through every object that Python's garbage collector knows, so it is for finding a
mistake, not for everyday use.
"""

from __future__ import annotations

import gc
import re
import sys
import types
from typing import Any

from adlib.base import errors
from adlib.base.source import is_internal

_FARTHEST = 10  # steps from a tracer to the variable that holds it
_MOST = 200_000  # objects on the ways that are followed: much may hold the list that holds it


def check(trace: Any, kind: type) -> None:
    """Raise UnexpectedTracerError if the user's program holds a tracer of a trace that ended.

    ``kind`` is the class of tracers. What only the library's own running functions hold is on
    its way out, and no leak.
    """
    if _held(trace, kind) is None:
        return
    gc.collect()  # a cycle of objects that nobody holds is no leak
    found = _held(trace, kind)
    if found is not None:
        raise errors.still_held(*found)


def _held(trace: Any, kind: type) -> tuple[Any, str] | None:
    """A tracer of the trace that is held by a variable, and the text that says which."""
    tracers = [o for o in gc.get_objects() if issubclass(type(o), kind) and o._trace is trace]
    return _holder(tracers, _variables(), {id(trace)}) if tracers else None


def _variables() -> dict[int, tuple[Any, str, str]]:
    """What the user's running functions have in variables, by identity: value, name, place."""
    found: dict[int, tuple[Any, str, str]] = {}
    frame: types.FrameType | None = sys._getframe()
    while frame is not None:
        code = frame.f_code
        if not is_internal(code):
            place = f"a variable of {code.co_name} in {code.co_filename}"
            for name, value in frame.f_locals.items():
                found.setdefault(id(value), (value, name, place))
        frame = frame.f_back
    return found


def _holder(
    tracers: list[Any], variables: dict[int, tuple[Any, str, str]], ignored: set[int]
) -> tuple[Any, str] | None:
    """A tracer and the way to it from a variable as text; None where there is no such way.

    Each step asks once for all objects that hold any of the last step's: to answer, Python goes
    through all that there is.
    """
    reached = {id(t): (t, t, "") for t in tracers}  # identity: object, its tracer, the way on
    seen = {*ignored, *reached, id(tracers), id(variables)}
    for _ in range(_FARTHEST):
        for held, tracer, path in reached.values():
            if id(held) in variables:
                _, name, place = variables[id(held)]
                return tracer, f"{name}{path}, {place}"
        objects = [held for held, _, _ in reached.values()]
        ours = {id(reached), id(objects), *map(id, reached.values())}
        following: dict[int, tuple[Any, Any, str]] = {}
        for holder in gc.get_referrers(*objects):
            if id(holder) in seen or id(holder) in ours or isinstance(holder, types.FrameType):
                continue
            held = next((o for o in gc.get_referents(holder) if id(o) in reached), None)
            if held is None:
                continue
            _, tracer, path = reached[id(held)]
            module = _module_of(holder)
            if module is None:
                following[id(holder)] = (holder, tracer, _step(holder, held, path))
            elif module.partition(".")[0] != "adlib":
                return tracer, f"{_key(holder, held)}{path}, a variable of module {module}"
        if not following or len(seen) > _MOST:
            return None
        seen |= following.keys()
        reached = following
    return None


def _module_of(holder: Any) -> str | None:
    """The name of the module whose variables ``holder`` has, if it is such a dictionary."""
    if type(holder) is not dict:
        return None
    name = holder.get("__name__")
    module = sys.modules.get(name) if isinstance(name, str) else None
    return name if module is not None and vars(module) is holder else None


def _key(holder: dict[Any, Any], held: Any) -> Any:
    return next((k for k, v in list(holder.items()) if v is held), "?")


def _step(holder: Any, held: Any, path: str) -> str:
    """The path from the holder on: an index, a key or an attribute, then that of what it holds."""
    if isinstance(holder, (list, tuple)):
        return f"[{next((i for i, v in enumerate(holder) if v is held), '?')}]{path}"
    if type(holder) is dict:
        return f"[{_key(holder, held)!r}]{path}"
    if isinstance(holder, types.CellType):
        return f" (in a closure){path}"
    attributes = getattr(holder, "__dict__", None)
    if isinstance(attributes, dict):
        if held is attributes:  # ['name'] of the dictionary is .name of the object
            return re.sub(r"^\['(\w+)'\]", r".\1", path)
        return f".{_key(attributes, held)}{path}"
    return f" ({type(holder).__name__}){path}"
