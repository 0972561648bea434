"""platform_dependent: another program on another kind of device."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from adlib.base.source import here
from adlib.core import backend


def platform_dependent(
    *args: Any, default: Callable[..., Any] | None = None, **per_platform: Callable[..., Any]
) -> Any:
    """The result of the function for the platform that computes.

    Args:
      args: arguments of the chosen function.
      default: for platforms that are not named.
      per_platform: functions, ``cpu=…``, ``cuda=…``.

    Raises:
      NotImplementedError: there is none for the platform, and no default.

    >>> from adlib import lax
    >>> lax.platform_dependent(1.0, cpu=lambda x: x + 1, default=lambda x: x)
    2.0
    """
    name = {"gpu": "cuda"}.get(backend.default().platform, backend.default().platform)
    chosen = per_platform.get(name, default)
    if chosen is None:
        raise NotImplementedError(
            f"platform_dependent has no function for {name!r} and no default; it was given "
            f"{', '.join(per_platform) or 'none'}.{here()}"
        )
    return chosen(*args)
