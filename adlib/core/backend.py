"""Which array module computes: the table of backends, found by the type of the array.

Computation follows data: a GPU array takes part in computations on the GPU. Numbers (arrays of
rank 0) and arrays that were made from nothing (``zeros``, ``arange``, …) go where they are
needed; other arrays stay where they are until the user moves them, and mixing them is an error.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from adlib.base.config import config
from adlib.base.source import here


class Backend(NamedTuple):
    """What the engine asks of an array library.

    Attributes:
      platform: ``"cpu"`` or ``"gpu"``.
      xp: the module with NumPy's names.
      ndarray: its array type.
      bring: makes its array of a NumPy array (CPU: gives it back as it is).
      implementations: of primitives, by name, in the place of those that are written over
        ``xp``, where this library lacks what they use.
      numbers: arrays of rank 0 that it was brought, which stay for the next time.
      explained: of an error, the one to raise in its place, or None; it is also told what was
        computed.
    """

    platform: str
    xp: Any
    ndarray: type
    bring: Callable[[Any], Any] = lambda value: value
    implementations: Mapping[str, Callable[..., Any]] = {}
    numbers: dict[Any, Any] | None = None
    explained: Callable[[Exception, str], Exception | None] = lambda error, what: None


_MOST_NUMBERS = 4096

_by_type: dict[type, Backend] = {}
_by_platform: dict[str, Backend] = {}

# False while one backend is in use, which lets dispatch skip asking. Flipped once.
several = False


def register(backend: Backend) -> None:
    """Make ``backend`` known; the first one registered is the CPU's."""
    global several
    _by_type[backend.ndarray] = backend
    _by_platform[backend.platform] = backend
    several = len(_by_platform) > 1


def get(platform: str) -> Backend:
    return _by_platform[platform]


def of_module(xp: Any) -> Backend:
    """The backend whose array module this is."""
    return next(b for b in _by_platform.values() if b.xp is xp)


def of_array(value: Any) -> Backend:
    """The backend whose array this is."""
    return _by_type.get(type(value), cpu())


def shared(x: Any) -> Any:
    """The array of the GPU's library over the memory of ``x``: itself, or what another library
    shows by ``__cuda_array_interface__``; None for all else, and where no GPU is in use."""
    if not several:
        return None
    gpu = _by_platform["gpu"]
    if type(x) is gpu.ndarray:
        return x
    return gpu.xp.asarray(x) if hasattr(x, "__cuda_array_interface__") else None


def cpu() -> Backend:
    return next(iter(_by_platform.values()))


def default() -> Backend:
    """Where new arrays are made: as ``jax_default_device`` or ``jax_platform_name`` say."""
    if not several:
        return cpu()
    chosen = config.jax_default_device or config.jax_platform_name or "cpu"
    return _by_platform[platform_of(chosen)]


def platform_of(device: Any) -> str:
    """The platform of a device, or that is called by one of its names."""
    name = str(getattr(device, "platform", device))
    return {"cuda": "gpu"}.get(name, name)


def of(values: Sequence[Any]) -> Backend:
    """The backend that computes with ``values``: that of a GPU array, if there is one; with
    nothing but numbers, the default one."""
    if not several:
        return cpu()
    only_numbers = True
    for value in values:
        found = _by_type.get(type(value))
        if found is not None and found is not cpu():
            return found
        only_numbers = only_numbers and not value.ndim
    return default() if only_numbers else cpu()


def place(values: Sequence[Any], free: Sequence[bool] = (), what: str = "") -> Any:
    """The backend that computes with ``values``, and the values as it takes them.

    Args:
      values: ndarrays.
      free: whether each was made from nothing, so that it may be moved (empty: none was).
      what: the operation, for the error.

    Raises ValueError where arrays on several devices meet.
    """
    chosen = of(values)
    if all([type(v) is chosen.ndarray for v in values]):
        return chosen, values
    if chosen is cpu():
        return chosen, values
    placed = []
    for i, value in enumerate(values):
        if type(value) is not chosen.ndarray:
            if value.ndim and not (free and free[i]):
                raise _mixed(chosen, values, i, what)
            value = _brought(chosen, value)
        placed.append(value)
    return chosen, placed


def _brought(on: Backend, value: Any) -> Any:
    """A value from the CPU; numbers, which occur in call after call, are kept."""
    if value.ndim or on.numbers is None:
        return on.bring(value)
    key = (value.dtype, value.tobytes())
    found = on.numbers.get(key)
    if found is None:
        if len(on.numbers) >= _MOST_NUMBERS:
            on.numbers.clear()
        found = on.numbers[key] = on.bring(value)
    return found


def _mixed(chosen: Backend, values: Sequence[Any], position: int, what: str) -> ValueError:
    other = next(i for i, v in enumerate(values) if type(v) is chosen.ndarray)
    described = [
        f"argument {i} ({values[i].dtype.name}[{','.join(map(str, values[i].shape))}]) is on {on}"
        for i, on in sorted([(position, "cpu"), (other, chosen.platform)])
    ]
    return ValueError(
        f"{what or 'an operation'} was given arrays on two devices: {' and '.join(described)}; "
        f"arrays move only where you say so.{here()}\n"
        f'  Repair: adlib.device_put(x, "{chosen.platform}") for the one on cpu, once, outside of '
        f'loops; or make arrays there: adlib.config.update("jax_platform_name", '
        f'"{chosen.platform}").'
    )
