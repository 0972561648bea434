"""Names for parts of a program, types of values, and computing at once while tracing."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

from adlib.api.compilation import abstract, jit
from adlib.base.source import here, scoped
from adlib.core.avals import ShapedArray
from adlib.core.evaluate import evaluator
from adlib.core.trace import using


@contextlib.contextmanager
def named_scope(name: str) -> Iterator[None]:
    """Name what is computed within the block; ``show_jaxpr`` draws it as a box of that name.

    >>> import adlib
    >>> with adlib.named_scope("layer1"):
    ...     y = adlib.numpy.sin(0.0)
    """
    if not isinstance(name, str):
        raise TypeError(f"named_scope name argument must be a string, got {type(name)}.{here()}")
    with scoped(name):
        yield


def named_call(fun: Callable[..., Any], *, name: str | None = None) -> Callable[..., Any]:
    """``fun`` as one equation under a name of its own in jaxprs.

    >>> import adlib
    >>> adlib.make_jaxpr(adlib.named_call(lambda x: -x, name="flip"))(1.0).eqns[0].params["name"]
    'flip'
    """
    jitted = jit(fun)
    if name is not None:
        jitted.__name__ = name
        jitted._name = name
    return jitted  # type: ignore[no-any-return]


def typeof(x: Any) -> ShapedArray:
    """Type of a value: shape, dtype and weakness.

    >>> import adlib
    >>> adlib.typeof(1.0)
    ShapedArray(float32[], weak_type=True)
    """
    return abstract(x, "typeof")


@contextlib.contextmanager
def ensure_compile_time_eval() -> Iterator[None]:
    """Compute at once within the block, on known values, even while a function is traced.

    >>> import adlib, adlib.numpy as jnp
    >>> def f(x):
    ...     with adlib.ensure_compile_time_eval():
    ...         n = int(jnp.sum(jnp.arange(3)))
    ...     return x * n
    >>> adlib.jit(f)(2.0)
    Array(6., dtype=float32, weak_type=True)
    """
    with using(evaluator):
        yield
