"""Where in the user's code something happened.

A location is the innermost stack frame outside of adlib's own packages. Taking it must
cost about a microsecond, because every recorded equation carries one; turning it into
text (cell names, source lines) is left for when somebody looks.
"""

from __future__ import annotations

import contextlib
import contextvars
import linecache
import os
import sys
import types
from collections.abc import Iterator

_HOME = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
_own_code: dict[types.CodeType, bool] = {}
_internal_roots: list[str] = [_HOME + os.sep]


def register_internal(path: str) -> None:
    """Count the files below ``path`` as the library's own: frames there are skipped."""
    _internal_roots.append(os.path.abspath(path) + os.sep)
    _own_code.clear()


def is_internal(code: types.CodeType) -> bool:
    """Whether code is the library's own, and so no line to show a user."""
    own = _own_code.get(code)
    if own is None:
        name = code.co_filename
        own = name.startswith(tuple(_internal_roots)) or name.startswith("<adlib")
        # contextlib and functools frames only pass calls on: never what the user wrote
        own = own or name in (_CONTEXTLIB, _FUNCTOOLS)
        _own_code[code] = own
    return own


_CONTEXTLIB = sys.modules["contextlib"].__file__ if "contextlib" in sys.modules else ""
_FUNCTOOLS = sys.modules["functools"].__file__ if "functools" in sys.modules else ""


_scope: contextvars.ContextVar[tuple[str, ...]] = contextvars.ContextVar("adlib_scope", default=())


@contextlib.contextmanager
def scoped(name: str) -> Iterator[None]:
    """Locations that are taken within the block carry ``name``, after those around it."""
    token = _scope.set((*_scope.get(), name))
    try:
        yield
    finally:
        _scope.reset(token)


class SourceLocation:
    """One line of the user's code.

    Attributes:
      file_name: path of the file, or a notebook cell's temporary path.
      line: line number, starting at 1.
      function: name of the function that holds the line.
      scope: names of the ``named_scope`` blocks around it while it ran, outermost first.
    """

    __slots__ = ("_code", "line", "scope")

    def __init__(self, code: types.CodeType, line: int, scope: tuple[str, ...] = ()) -> None:
        self._code = code
        self.line = line
        self.scope = scope

    @property
    def file_name(self) -> str:
        return self._code.co_filename

    @property
    def function(self) -> str:
        return self._code.co_qualname

    def text(self) -> str:
        """The source line itself, stripped; empty where the source is not at hand."""
        return linecache.getline(self.file_name, self.line).strip()

    def summary(self) -> str:
        """Short stable form: ``In[3]:2`` in a notebook, ``model.py:17`` elsewhere."""
        return f"{_short_name(self.file_name)}:{self.line}"

    def __repr__(self) -> str:
        return f"SourceLocation({self.summary()})"


def _short_name(file_name: str) -> str:
    ipython = sys.modules.get("IPython")  # never imported for this: only asked if it is there
    shell = ipython.get_ipython() if ipython is not None else None
    if shell is not None and hasattr(shell, "compile"):
        label = shell.compile.format_code_name(file_name)
        if label:
            return str(label[1])
    return os.path.basename(file_name)


def user_location(skip: int = 1) -> SourceLocation | None:
    """The innermost line of the stack that is not adlib's own, or None."""
    frame: types.FrameType | None = sys._getframe(skip)
    own_code = _own_code
    while frame is not None:
        code = frame.f_code
        own = own_code.get(code)
        if own is None:
            own = is_internal(code)
        if not own:
            return SourceLocation(code, frame.f_lineno, _scope.get())
        frame = frame.f_back
    return None


def describe(location: SourceLocation | None) -> str:
    """``at In[3]:2: y = x @ W`` for an error message; empty without a location."""
    if location is None:
        return ""
    text = location.text()
    return f"at {location.summary()}: {text}" if text else f"at {location.summary()}"


def here() -> str:
    """A line that says where in the user's code we are, ready to end an error message."""
    where = describe(user_location(2))
    return f"\n  {where}" if where else ""
