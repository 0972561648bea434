"""Tracebacks that show the user's lines: the frames of adlib between them are folded away."""

from __future__ import annotations

import contextlib
import os
import types
from collections.abc import Iterator, Sequence

import adlib
import adlib_widgets

# Array libraries that adlib calls: their frames below one of adlib's explain nothing.
_HELPERS = ("numpy", "scipy", "optree", "opt_einsum", "ml_dtypes", "tqdm")
_PASSED_ON = ("contextlib.py", "functools.py")

# Whose frames are folded: this package and those that it stands on.
ROOTS = tuple(
    os.path.dirname(os.path.abspath(str(path)))
    for path in (adlib.__file__, adlib_widgets.__file__, os.path.dirname(__file__))
)
SWITCH = 'adlib.config.update("jax_traceback_filtering", "off")'


def fold(
    traceback: types.TracebackType | None, roots: Sequence[str] = ROOTS
) -> tuple[types.TracebackType | None, int]:
    """A traceback without adlib's own frames, and how many they were.

    Args:
      traceback: the chain of frames, outermost first; it is not changed.
      roots: folders whose files are adlib's.

    Returns:
      The same chain without frames of files below ``roots``, without frames of the array
      libraries and of ``contextlib`` and ``functools`` that such a frame has called, and
      without frames of IPython between them. The outermost frame always stays. Where
      nothing but folded frames would remain after it, the chain itself and 0.
    """
    frames = list(_walk(traceback))
    own = _own_frames(frames, roots)
    if not any(own) or all(own[1:]):
        return traceback, 0
    folded: types.TracebackType | None = None
    for frame, is_own in reversed(list(zip(frames, own, strict=True))):
        if not is_own:
            folded = types.TracebackType(folded, frame.tb_frame, frame.tb_lasti, frame.tb_lineno)
    return folded, sum(own)


def _walk(traceback: types.TracebackType | None) -> Iterator[types.TracebackType]:
    while traceback is not None:
        yield traceback
        traceback = traceback.tb_next


def _own_frames(frames: Sequence[types.TracebackType], roots: Sequence[str]) -> list[bool]:
    """Of each frame, whether it is folded away."""
    own: list[bool] = []
    for position, frame in enumerate(frames):
        name = frame.tb_frame.f_code.co_filename
        mine = name.startswith(tuple(root + os.sep for root in roots)) or name.startswith("<adlib")
        called = position > 0 and own[-1] and _is_helper(frame.tb_frame.f_code)
        own.append(position > 0 and (mine or called))
    # IPython's frames between a cell and a magic of ours: they lead to our frames and no further
    for position in range(len(frames) - 2, 0, -1):
        name = frames[position].tb_frame.f_code.co_filename
        if own[position + 1] and _below(name, ("IPython",)):
            own[position] = True
    return own


def _is_helper(code: types.CodeType) -> bool:
    name = code.co_filename
    # the constructors that Python writes for named tuples and dataclasses
    written = name == "<string>" and code.co_varnames[:1] in (("_cls",), ("self",))
    return written or os.path.basename(name) in _PASSED_ON or _below(name, _HELPERS)


def _below(name: str, packages: Sequence[str]) -> bool:
    parts = name.split(os.sep)
    return any(package in parts[:-1] for package in packages)


def wanted() -> bool:
    """Whether frames are to be folded: not with ``jax_traceback_filtering`` set to "off"."""
    return str(adlib.config.jax_traceback_filtering) != "off"


@contextlib.contextmanager
def folded(
    error: BaseException, traceback: types.TracebackType | None, roots: Sequence[str] = ROOTS
) -> Iterator[types.TracebackType | None]:
    """While the block runs, an error and those that led to it are free of adlib's frames.

    Gives the traceback to show for ``error``. A note at the end of the message says how many
    frames are folded away, and how to see them. Afterwards every error is as it was.
    """
    shown, count = fold(traceback)
    saved: list[tuple[BaseException, types.TracebackType | None]] = []
    noted = False
    try:
        for other in _led_to(error):
            saved.append((other, other.__traceback__))
            other.__traceback__, more = fold(other.__traceback__)
            count += more
        if count and str(adlib.config.jax_traceback_filtering) != "quiet_remove_frames":
            frames = "1 frame" if count == 1 else f"{count} frames"
            error.add_note(f"[adlib's own {frames} folded away; to see them: {SWITCH}]")
            noted = True
        yield shown
    finally:
        if noted:
            error.__notes__.pop()
            if not error.__notes__:
                del error.__notes__
        for other, original in saved:
            other.__traceback__ = original


def _led_to(error: BaseException) -> Iterator[BaseException]:
    """The errors that a traceback shows above this one."""
    seen = {id(error)}
    current: BaseException | None = error
    while current is not None:
        context = None if current.__suppress_context__ else current.__context__
        current = current.__cause__ or context
        if current is None or id(current) in seen:
            return
        seen.add(id(current))
        yield current
