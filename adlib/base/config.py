"""Configuration flags, with process-wide values and per-context overrides.

Flags carry the names that the field knows (``jax_enable_x64`` and so on), so that
existing programs run unchanged. Overrides live in a ``contextvars.ContextVar``: they
follow threads and async tasks, and cannot leak out of their ``with`` block.
"""

from __future__ import annotations

import contextlib
import contextvars
import difflib
import os
from collections.abc import Callable, Iterator
from typing import Any

_DEFAULTS: dict[str, Any] = {
    "jax_enable_x64": False,
    "jax_threefry_partitionable": True,
    "jax_numpy_dtype_promotion": "standard",
    "jax_numpy_rank_promotion": "allow",
    "jax_default_matmul_precision": None,
    "jax_default_device": None,
    "jax_platform_name": "",
    "jax_disable_jit": False,
    "jax_debug_nans": False,
    "jax_debug_infs": False,
    "jax_enable_checks": False,
    "jax_check_tracer_leaks": False,
    "jax_log_compiles": False,
    "jax_no_tracing": False,
    "jax_softmax_custom_jvp": True,
    "jax_traceback_filtering": "auto",
    "jit_backend": os.environ.get("ADLIB_JIT_BACKEND", "auto"),
    "jit_disk_cache": True,
    "jit_disk_cache_bytes": 256 * 2**20,
}

# Flags that change what a traced program means: they are part of every jit cache key.
_TRACE_FLAGS = (
    "jax_enable_x64",
    "jax_threefry_partitionable",
    "jax_numpy_dtype_promotion",
    "jax_numpy_rank_promotion",
    "jax_default_matmul_precision",
    "jax_disable_jit",
    "jit_backend",
)

_overrides: contextvars.ContextVar[_Overrides | None] = contextvars.ContextVar(
    "adlib_config", default=None
)


class _Overrides(dict[str, Any]):
    """Flags that are set in a context, with the key that follows from them."""

    __slots__ = ("key", "process")
    key: tuple[Any, ...]
    process: tuple[Any, ...] | None  # the key of the process, when this one was made


# Equal keys are one object, so that a call can compare its own to the last one's by identity.
_keys: dict[tuple[Any, ...], tuple[Any, ...]] = {}


class Config:
    """All flags of the engine, readable as attributes.

    >>> import adlib
    >>> adlib.config.jax_enable_x64
    False
    """

    def __init__(self) -> None:
        object.__setattr__(self, "_values", dict(_DEFAULTS))
        object.__setattr__(self, "_open", [])  # flags of every open block, of any thread
        object.__setattr__(self, "_listeners", [])
        object.__setattr__(self, "_checks", {})
        self._note_trace_values()

    def __getattr__(self, name: str) -> Any:
        overrides = _overrides.get()
        if overrides is not None and name in overrides:
            return overrides[name]
        try:
            return self._values[name]
        except KeyError:
            raise AttributeError(_unknown(name)) from None

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError(
            f"flags are not set by assignment; use config.update({name!r}, {value!r})"
        )

    @property
    def x64_enabled(self) -> bool:
        """Whether 64-bit types are kept (``jax_enable_x64``)."""
        return bool(self.jax_enable_x64)

    def read(self, name: str) -> Any:
        """The value of the flag ``name`` in this context."""
        return getattr(self, name)

    def update(self, name: str, value: Any) -> None:
        """Set the flag ``name`` for the whole process.

        Raises:
          AttributeError: no such flag; the message names the nearest one.
        """
        if name not in self._values:
            raise AttributeError(_unknown(name))
        self._check(name, value)
        self._values[name] = value
        self._note_trace_values()
        self._changed()

    @contextlib.contextmanager
    def override(self, **flags: Any) -> Iterator[None]:
        """Set flags within a ``with`` block, in this thread or task only."""
        for name, value in flags.items():
            if name not in self._values:
                raise AttributeError(_unknown(name))
            self._check(name, value)
        values = _Overrides({**(_overrides.get() or {}), **flags})
        values.process = None
        token = _overrides.set(values)
        self._open.append(flags)
        self._changed()
        try:
            yield
        finally:
            self._open.remove(flags)
            self._changed()
            _overrides.reset(token)

    def check(self, name: str, check: Callable[[Any], None]) -> None:
        """Call ``check(value)`` before the flag is set; what it raises keeps the old value."""
        self._checks[name] = check

    def _check(self, name: str, value: Any) -> None:
        if name in self._checks:
            self._checks[name](value)

    def on_change(self, listener: Callable[[], None]) -> None:
        """Call ``listener`` whenever a flag may have changed."""
        self._listeners.append(listener)

    def anywhere(self, name: str) -> bool:
        """Whether the flag is true for the process, or in an open block of any thread."""
        return bool(self._values[name]) or any(flags.get(name) for flags in list(self._open))

    def _note_trace_values(self) -> None:
        # every jitted call asks for them, so they are not collected each time
        flags = tuple([self._values[name] for name in _TRACE_FLAGS])
        object.__setattr__(self, "_trace_values", _interned(flags))

    def _changed(self) -> None:
        for listener in self._listeners:
            listener()

    def trace_key(self) -> tuple[Any, ...]:
        """Values of the flags on which a traced program depends; equal ones are one object."""
        overrides = _overrides.get()
        process: tuple[Any, ...] = self._trace_values
        if overrides is None:
            return process
        if overrides.process is not process:
            values = self._values
            flags = tuple([overrides.get(name, values[name]) for name in _TRACE_FLAGS])
            overrides.key = _interned(flags)
            overrides.process = process
        return overrides.key


def _interned(flags: tuple[Any, ...]) -> tuple[Any, ...]:
    # 1 and True are equal, and one may stand for the other: a flag means the same with both
    return _keys.setdefault(flags, flags)


def _unknown(name: str) -> str:
    near = difflib.get_close_matches(name, _DEFAULTS, n=1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    return f"adlib has no configuration flag {name!r}.{hint}"


config = Config()


class FlagContext:
    """``with enable_x64(True): ...`` for one flag; called without a value it sets ``default``."""

    def __init__(self, flag: str, doc: str, default: Any = True) -> None:
        self.flag = flag
        self.default = default
        self.__doc__ = doc

    def __call__(self, value: Any = ...) -> contextlib.AbstractContextManager[None]:
        return config.override(**{self.flag: self.default if value is ... else value})


enable_x64 = FlagContext("jax_enable_x64", "Context manager: keep 64-bit types within the block.")
threefry_partitionable = FlagContext(
    "jax_threefry_partitionable", "Context manager: which layout of counters Threefry uses."
)
numpy_dtype_promotion = FlagContext(
    "jax_numpy_dtype_promotion", "Context manager: 'standard' or 'strict' dtype promotion.", None
)
numpy_rank_promotion = FlagContext(
    "jax_numpy_rank_promotion",
    "Context manager: 'allow', 'warn' or 'raise' on rank promotion.",
    None,
)
default_matmul_precision = FlagContext(
    "jax_default_matmul_precision", "Context manager: default precision of matrix products.", None
)
default_device = FlagContext("jax_default_device", "Context manager: where new arrays go.", None)
disable_jit = FlagContext("jax_disable_jit", "Context manager: run jitted functions op by op.")
debug_nans = FlagContext("jax_debug_nans", "Context manager: raise at the first NaN computed.")
log_compiles = FlagContext(
    "jax_log_compiles", "Context manager: log each trace of a jitted function."
)
enable_checks = FlagContext("jax_enable_checks", "Context manager: check every result's type.")
checking_leaks = FlagContext("jax_check_tracer_leaks", "Context manager: raise on leaked tracers.")
check_tracer_leaks = checking_leaks
no_tracing = FlagContext(
    "jax_no_tracing", "Context manager: raise where a jitted function would be traced anew."
)
softmax_custom_jvp = FlagContext(
    "jax_softmax_custom_jvp", "Context manager: taken for compatibility, softmax has one rule."
)
