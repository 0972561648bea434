"""Which array module computes: the table of backends, found by the type of the array."""

from __future__ import annotations

from typing import Any, NamedTuple


class Backend(NamedTuple):
    """What the engine asks of an array library.

    Attributes:
      platform: ``"cpu"`` or ``"gpu"``.
      xp: the module with NumPy's names.
      ndarray: its array type.
    """

    platform: str
    xp: Any
    ndarray: type


_by_type: dict[type, Backend] = {}
_by_platform: dict[str, Backend] = {}

# False while one backend is in use, which lets dispatch skip asking. Flipped once.
several = False


def register(backend: Backend) -> None:
    """Make ``backend`` known; the first one registered is the default."""
    global several
    _by_type[backend.ndarray] = backend
    _by_platform[backend.platform] = backend
    several = len(_by_platform) > 1


def get(platform: str) -> Backend:
    return _by_platform[platform]


def default() -> Backend:
    return next(iter(_by_platform.values()))


def of(values: list[Any]) -> Backend:
    """The backend that holds ``values`` (arrays of one library)."""
    if not several or not values:
        return default()
    for value in values:
        backend = _by_type.get(type(value))
        if backend is not None and backend is not default():
            return backend
    return default()
