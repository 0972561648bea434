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
    "gpu_deterministic": False,
    "gpu_kept_bytes": None,
    "jit_backend": os.environ.get("ADLIB_JIT_BACKEND", "auto"),
    "jit_cuda_graphs": True,
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
    "gpu_deterministic",
    "jit_backend",
    "jit_cuda_graphs",
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

    def __init__(self, flag: str, doc: str, example: str, default: Any = True) -> None:
        self.flag = flag
        self.default = default
        self.__doc__ = f"Context manager: {doc}\n{example}"

    def __call__(self, new_val: Any = ...) -> contextlib.AbstractContextManager[None]:
        return config.override(**{self.flag: self.default if new_val is ... else new_val})


enable_x64 = FlagContext(
    "jax_enable_x64",
    "keep 64-bit types within the block.",
    """
    >>> import adlib, adlib.numpy as jnp
    >>> with adlib.enable_x64():
    ...     print(jnp.ones(1).dtype)
    float64
    """,
)
threefry_partitionable = FlagContext(
    "jax_threefry_partitionable",
    "which layout of counters Threefry uses; False is that of older documents.",
    """
    >>> import adlib
    >>> with adlib.threefry_partitionable(False):
    ...     print(adlib.random.split(adlib.random.PRNGKey(0))[0])
    [4146024105  967050713]
    """,
)
numpy_dtype_promotion = FlagContext(
    "jax_numpy_dtype_promotion",
    "'standard' or 'strict' dtype promotion; 'strict' refuses to join different dtypes.",
    """
    >>> import adlib, adlib.numpy as jnp
    >>> with adlib.numpy_dtype_promotion("strict"):
    ...     try:
    ...         jnp.ones(2, int) + jnp.ones(2)
    ...     except adlib.dtypes.TypePromotionError:
    ...         print("refused")
    refused
    """,
    None,
)
numpy_rank_promotion = FlagContext(
    "jax_numpy_rank_promotion",
    "'allow', 'warn' or 'raise' where arrays of different rank meet.",
    """
    >>> import adlib, adlib.numpy as jnp
    >>> with adlib.numpy_rank_promotion("raise"):
    ...     try:
    ...         jnp.ones((2, 2)) + jnp.ones(2)
    ...     except ValueError:
    ...         print("refused")
    refused
    """,
    None,
)
default_matmul_precision = FlagContext(
    "jax_default_matmul_precision",
    "default precision of matrix products; on CPUs they always have full precision.",
    """
    >>> import adlib, adlib.numpy as jnp
    >>> with adlib.default_matmul_precision("float32"):
    ...     print(jnp.ones(2) @ jnp.ones(2))
    2.0
    """,
    None,
)
default_device = FlagContext(
    "jax_default_device",
    "where new arrays go.",
    """
    >>> import adlib, adlib.numpy as jnp
    >>> with adlib.default_device(adlib.devices("cpu")[0]):
    ...     print(jnp.ones(1).device.platform)
    cpu
    """,
    None,
)


def disable_jit(disable: bool = True) -> contextlib.AbstractContextManager[None]:
    """Context manager: run jitted functions op by op within the block.

    >>> import adlib
    >>> with adlib.disable_jit():
    ...     print(adlib.config.jax_disable_jit)
    True
    """
    return config.override(jax_disable_jit=disable)


debug_nans = FlagContext(
    "jax_debug_nans",
    "raise FloatingPointError at the first NaN computed, naming the operation.",
    """
    >>> import adlib, adlib.numpy as jnp
    >>> with adlib.debug_nans():
    ...     try:
    ...         jnp.log(-1.0)
    ...     except FloatingPointError:
    ...         print("found")
    found
    """,
)
log_compiles = FlagContext(
    "jax_log_compiles",
    "log each trace of a jitted function, as a warning of the logger ``adlib``.",
    """
    >>> import adlib
    >>> with adlib.log_compiles():
    ...     print(adlib.config.jax_log_compiles)
    True
    """,
)
enable_checks = FlagContext(
    "jax_enable_checks",
    "check every result's type.",
    """
    >>> import adlib, adlib.numpy as jnp
    >>> with adlib.enable_checks():
    ...     print(jnp.sin(0.0))
    0.0
    """,
)
checking_leaks = FlagContext(
    "jax_check_tracer_leaks",
    "raise UnexpectedTracerError where a traced value outlives its transformation.",
    """
    >>> import adlib
    >>> kept = []
    >>> with adlib.checking_leaks():
    ...     try:
    ...         adlib.jit(kept.append)(1.0)
    ...     except adlib.errors.UnexpectedTracerError:
    ...         print("found")
    found
    """,
)
check_tracer_leaks = checking_leaks
no_tracing = FlagContext(
    "jax_no_tracing",
    "raise RuntimeError where a jitted function would be traced anew.",
    """
    >>> import adlib
    >>> with adlib.no_tracing():
    ...     try:
    ...         adlib.jit(lambda x: x + 1)(1.0)
    ...     except RuntimeError:
    ...         print("would trace")
    would trace
    """,
)
softmax_custom_jvp = FlagContext(
    "jax_softmax_custom_jvp",
    "taken for compatibility: softmax has one rule.",
    """
    >>> import adlib, adlib.numpy as jnp
    >>> with adlib.softmax_custom_jvp(False):
    ...     print(adlib.nn.softmax(jnp.zeros(2)))
    [0.5 0.5]
    """,
)
