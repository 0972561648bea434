"""Run-time checks as values: errors that travel through ``jit``, ``vmap``, ``scan`` and ``grad``.

``checkify(f)`` is a function that returns an ``Error`` beside the result of ``f``. The error is
ordinary arrays: the number of the first check that failed, and what its message is filled with.
So a checked function stays a pure function of arrays, and nothing stops in the middle.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from adlib import lax
from adlib import numpy as jnp
from adlib.api.compilation import make_jaxpr
from adlib.base import tree
from adlib.base.source import here, user_location
from adlib.control.callbacks import callback
from adlib.control.cond import switch
from adlib.core.array import ArrayImpl, as_value
from adlib.core.jaxpr import ClosedJaxpr, Eqn, Literal, Var, subjaxprs
from adlib.core.primitive import define_primitive
from adlib.tree_util import register_pytree_node

ErrorCategory = str

user_checks: frozenset[ErrorCategory] = frozenset({"check"})
nan_checks: frozenset[ErrorCategory] = frozenset({"nan"})
div_checks: frozenset[ErrorCategory] = frozenset({"division"})
index_checks: frozenset[ErrorCategory] = frozenset({"index"})
float_checks = nan_checks | div_checks
automatic_checks = float_checks | index_checks
all_checks = automatic_checks | user_checks
_CATEGORIES = {"check", "nan", "division", "index"}


class CheckError(RuntimeError):
    """A check failed."""


class Site(NamedTuple):
    """A place in the program that may fail.

    Attributes:
      category: ``"check"``, ``"nan"``, ``"division"`` or ``"index"``.
      message: text, with fields for the values that the check gives.
      line: the user's line.
      treedef: how the values belong to the text's fields.
    """

    category: str
    message: str
    line: str
    treedef: Any

    def text(self, values: Sequence[Any]) -> str:
        args, kwargs = tree.unflatten(self.treedef, [np.asarray(v) for v in values])
        text = self.message.format(*args, **kwargs)
        return f"{text} (`check` failed)" if self.category == "check" else f"{text} ({self.line})"


class Error:
    """What a checked function says about its run: no error, or the first check that failed.

    It is a pytree of arrays, so it passes through ``jit``, ``vmap`` and ``scan``.
    """

    def __init__(self, code: Any, values: Sequence[Any], sites: tuple[Site, ...]) -> None:
        self._code = code  # number of the site that failed first, -1 for none
        self._values = list(values)  # for each site the values of its message
        self._sites = sites

    def get(self) -> str | None:
        """The message of the first failure, or None; for each example after ``vmap``."""
        codes = np.asarray(self._code)
        if codes.ndim == 0:
            code = int(codes)
            return None if code < 0 else self._sites[code].text(self._values[code])
        texts = []
        for index in np.ndindex(codes.shape):
            code = int(codes[index])
            if code >= 0:
                values = [np.asarray(v)[index] for v in self._values[code]]
                place = index[0] if len(index) == 1 else index
                texts.append(f"at mapped index {place}: {self._sites[code].text(values)}")
        return "\n".join(texts) or None

    def throw(self) -> None:
        """Raise CheckError if there is an error."""
        check_error(self)

    def __repr__(self) -> str:
        return f"Error({self.get()!r})" if isinstance(self._code, ArrayImpl) else "Error(traced)"


register_pytree_node(
    Error,
    lambda e: ((e._code, e._values), e._sites),
    lambda sites, children: Error(*children, sites),
)


# -------------------------------------------------------------------------- checks


def _check_kernel(xp: Any, *, site: Site) -> Callable[..., Any]:
    def kernel(ok: Any, *values: Any) -> tuple[()]:
        if not bool(ok):
            raise CheckError(site.text(values))
        return ()

    return kernel


def _check_batch(axis: Any, args: Sequence[Any], dims: Sequence[Any], *, site: Site) -> Any:
    """All examples have to pass; the values are those of the first that does not."""
    ok, *values = args
    front = [x if d is None else jnp.moveaxis(x, d, 0) for x, d in zip(args, dims, strict=True)]
    if dims[0] is None:
        chosen = [x if d is None else x[0] for x, d in zip(front[1:], dims[1:], strict=True)]
        check_p.bind(ok, *chosen, site=site)
    else:
        first = jnp.argmin(front[0])
        chosen = [x if d is None else x[first] for x, d in zip(front[1:], dims[1:], strict=True)]
        check_p.bind(jnp.all(front[0]), *chosen, site=site)
    return [], []


check_p = define_primitive(
    "check",
    shape=lambda *avals, site: [],
    kernel=_check_kernel,
    jvp=lambda primals, tangents, **params: (check_p.bind(*primals, **params), []),
    batch=_check_batch,
    multiple_results=True,
    first_order=False,
    effect=True,
)


def check(pred: Any, msg: str, *fmt_args: Any, debug: bool = False, **fmt_kwargs: Any) -> None:
    """Demand that ``pred`` is true when the program runs.

    Within ``checkify`` a failure becomes part of the ``Error``. Outside it raises CheckError when
    the program gets there, in compiled functions too.

    Args:
      pred: a boolean, rank 0.
      msg: message, with ``{}`` and ``{name}`` for the values.
      fmt_args, fmt_kwargs: those values, arrays and numbers.
      debug: as ``debug_check``.

    Raises:
      TypeError: ``pred`` is no boolean scalar; values that are no arrays.
      CheckError: the check failed, outside of ``checkify``.

    >>> from adlib.experimental import checkify
    >>> def f(x):
    ...     checkify.check(x > 0, "must be positive, got {x}", x=x)
    ...     return x
    >>> checkify.checkify(f)(-1.0)[0].get()
    'must be positive, got -1.0 (`check` failed)'
    """
    if debug:
        return debug_check(pred, msg, *fmt_args, **fmt_kwargs)
    ok = as_value(pred, "checkify.check")
    if ok.aval.shape or ok.aval.dtype.kind != "b":
        raise TypeError(
            f"checkify.check takes a scalar pred as argument, a boolean of rank 0; it was given "
            f"{ok.aval.str_short()}.{here()}\n  Repair: jnp.all(pred)."
        )
    leaves, treedef = tree.flatten((fmt_args, fmt_kwargs))
    values = [as_value(leaf, "checkify.check") for leaf in leaves]
    location = user_location(2)
    line = "" if location is None else location.summary()
    check_p.bind(ok, *values, site=Site("check", msg, line, treedef))


def debug_check(pred: Any, msg: str, *fmt_args: Any, **fmt_kwargs: Any) -> None:
    """A ``check`` that counts within ``checkify`` only, and does nothing outside of it.

    >>> from adlib.experimental import checkify
    >>> checkify.debug_check(False, "not said")
    """
    ok = as_value(pred, "checkify.debug_check")
    leaves, treedef = tree.flatten((fmt_args, fmt_kwargs))
    values = [as_value(leaf, "checkify.debug_check") for leaf in leaves]
    debug_check_p.bind(ok, *values, site=Site("check", msg, "", treedef))


debug_check_p = define_primitive(
    "debug_check",
    shape=lambda *avals, site: [],
    kernel=lambda xp, *, site: lambda *values: (),
    jvp=lambda primals, tangents, **params: (debug_check_p.bind(*primals, **params), []),
    batch=_check_batch,
    multiple_results=True,
    first_order=False,
    effect=True,
)


def check_error(error: Error) -> None:
    """Raise CheckError if ``error`` holds one; in traced code, when the program gets there.

    >>> from adlib.experimental import checkify
    >>> checkify.check_error(checkify.init_error)
    """
    if not isinstance(error, Error):
        raise TypeError(f"check_error takes an Error; it was given {error!r}.{here()}")

    def raise_it(error: Error) -> None:
        text = error.get()
        if text is not None:
            raise CheckError(text)

    callback(raise_it, error)


init_error = Error(-1, [], ())


# ------------------------------------------------------------------ transformation


def checkify(
    f: Callable[..., Any], errors: frozenset[ErrorCategory] = user_checks
) -> Callable[..., tuple[Error, Any]]:
    """A function that gives ``(error, result of f)``.

    Args:
      f: any function that can be traced.
      errors: which checks are made: ``user_checks`` (those said with ``check``), ``nan_checks``,
        ``div_checks``, ``index_checks``, and sums of them: ``float_checks``,
        ``automatic_checks``, ``all_checks``.

    Raises:
      ValueError: an unknown category.

    >>> from adlib.experimental import checkify
    >>> import adlib, adlib.numpy as jnp
    >>> f = adlib.jit(checkify.checkify(jnp.log, errors=checkify.nan_checks))
    >>> error, result = f(-1.0)
    >>> error.get().split(" (")[0]
    'nan generated by primitive: log'
    """
    unknown = sorted(set(errors) - _CATEGORIES)
    if unknown:
        raise ValueError(
            f"checkify takes errors out of checkify.all_checks; it was given {unknown[0]!r}."
            f"{here()}"
        )

    def checked(*args: Any, **kwargs: Any) -> tuple[Error, Any]:
        closed, shapes = make_jaxpr(f, return_shape=True)(*args, **kwargs)
        leaves = [as_value(leaf) for leaf in tree.leaves((list(args), kwargs))]
        sites = _Sites(closed, frozenset(errors))
        values = [[jnp.zeros(a.shape, a.dtype) for a in avals] for _, avals in sites.found]
        state = _State(jnp.asarray(-1, jnp.int32), values)
        run = _Run(sites)
        outs, state = run.program(closed, leaves, state)
        error = Error(state.code, state.values, tuple(site for site, _ in sites.found))
        return error, tree.unflatten(tree.structure(shapes), outs)

    return checked


class _State(NamedTuple):
    code: Any
    values: list[list[Any]]


def _inner(eqn: Eqn) -> list[Any]:
    return [jaxpr for _, jaxpr in subjaxprs(eqn.params)]


_AROUND = {"scan", "while", "cond", "jit", "custom_jvp_call", "custom_vjp_call", "remat2",
           "custom_vmap_call"}  # fmt: skip


def _own_sites(eqn: Eqn, errors: frozenset[str]) -> list[tuple[Site, list[Any]]]:
    """The checks of one equation, with the types of their values."""
    name = eqn.primitive.name
    line = "" if eqn.source is None else eqn.source.summary()
    plain = tree.structure(((), {}))
    found: list[tuple[Site, list[Any]]] = []
    if name in ("check", "debug_check"):
        if "check" in errors:
            site = eqn.params["site"]._replace(category="check")
            found.append((site, [v.aval for v in eqn.invars[1:]]))
        return found
    if "nan" in errors and any(v.aval.dtype.kind in "fc" for v in eqn.outvars):
        found.append((Site("nan", f"nan generated by primitive: {name}", line, plain), []))
    if "division" in errors and name == "div":
        found.append((Site("division", "division by zero", line, plain), []))
    if "index" in errors and name in _INDEXED:
        shape = eqn.invars[0].aval.shape
        text = (
            f"out-of-bounds indexing for array of shape {shape}: index {{index}} is out of bounds "
            "for axis {axis} with size {size}"
        )
        structure = tree.structure(((), {"index": 0, "axis": 0, "size": 0}))
        found.append((Site("index", text, line, structure), [_INT] * 3))
    return found


class _Int(NamedTuple):
    shape: tuple[()] = ()
    dtype: Any = np.dtype(np.int32)


_INT = _Int()


def _opened(jaxpr: Any) -> Any:
    return jaxpr.jaxpr if isinstance(jaxpr, ClosedJaxpr) else jaxpr


def _has_checks(jaxpr: Any, errors: frozenset[str]) -> bool:
    return any(
        bool(_own_sites(eqn, errors) if eqn.primitive.name not in _AROUND else [])
        or any(_has_checks(inner, errors) for inner in _inner(eqn))
        for eqn in _opened(jaxpr).eqns
    )


class _Sites:
    """All checks of a program, numbered; an equation that runs several times has one number."""

    def __init__(self, closed: ClosedJaxpr, errors: frozenset[str]) -> None:
        self.errors = errors
        self.found: list[tuple[Site, list[Any]]] = []
        self.first: dict[int, int] = {}  # of each equation, the number of its first check
        self._add(closed)

    def _add(self, jaxpr: Any) -> None:
        for eqn in _opened(jaxpr).eqns:
            if eqn.primitive.name in _AROUND:
                for inner in _inner(eqn):
                    self._add(inner)
            elif id(eqn) not in self.first:
                self.first[id(eqn)] = len(self.found)
                self.found.extend(_own_sites(eqn, self.errors))


class _Run:
    """Runs a program equation by equation, with the error beside it."""

    def __init__(self, sites: _Sites) -> None:
        self.sites, self.errors = sites, sites.errors

    def program(
        self, closed: ClosedJaxpr, args: Sequence[Any], state: _State
    ) -> tuple[list[Any], _State]:
        env: dict[Var, Any] = dict(zip(closed.jaxpr.constvars, closed.consts, strict=True))
        env.update(zip(closed.jaxpr.invars, args, strict=True))

        def read(atom: Any) -> Any:
            return atom.array if isinstance(atom, Literal) else as_value(env[atom])

        for eqn in closed.eqns:
            outs, state = self.equation(eqn, [read(a) for a in eqn.invars], state)
            env.update(zip(eqn.outvars, outs, strict=True))
        return [read(a) for a in closed.jaxpr.outvars], state

    def equation(self, eqn: Eqn, values: list[Any], state: _State) -> tuple[list[Any], _State]:
        name = eqn.primitive.name
        if name in _AROUND:
            if any(_has_checks(inner, self.errors) for inner in _inner(eqn)):
                return _ENTERED[name](self, eqn.params, values, state)
            return _applied(eqn, values), state
        first = self.sites.first[id(eqn)]
        sites = _own_sites(eqn, self.errors)
        if name in ("check", "debug_check"):
            if sites:
                return [], _failed(state, first, ~values[0], values[1:])
            return [], state
        for i, (site, _) in enumerate(sites):
            if site.category == "division":
                state = _failed(state, first + i, jnp.any(values[1] == 0), [])
            elif site.category == "index":
                bad, where = _out_of_bounds(eqn, values)
                state = _failed(state, first + i, bad, where)
        outs = _applied(eqn, values)
        for i, (site, _) in enumerate(sites):
            if site.category == "nan":
                spoiled = [jnp.any(jnp.isnan(o)) for o in outs if o.aval.dtype.kind in "fc"]
                state = _failed(state, first + i, jnp.any(jnp.stack(spoiled)), [])
        return outs, state

    # ------------------------------------------------- programs within programs

    def call(self, params: Any, values: list[Any], state: _State) -> tuple[list[Any], _State]:
        inner = params["jaxpr"] if "jaxpr" in params else params["call_jaxpr"]
        return self.program(inner, values, state)

    def scan(self, params: Any, values: list[Any], state: _State) -> tuple[list[Any], _State]:
        consts, carries = params["num_consts"], params["num_carry"]
        fixed = values[:consts]

        def step(loop: Any, x: Any) -> Any:
            carry, state = loop
            outs, state = self.program(params["jaxpr"], [*fixed, *carry, *x], state)
            return (outs[:carries], state), outs[carries:]

        start = (values[consts : consts + carries], state)
        (carry, state), stacked = lax.scan(
            step,
            start,
            values[consts + carries :],
            length=params["length"],
            reverse=params["reverse"],
        )
        return [*carry, *stacked], state

    def while_(self, params: Any, values: list[Any], state: _State) -> tuple[list[Any], _State]:
        first, second = params["cond_nconsts"], params["body_nconsts"]
        tests, fixed = values[:first], values[first : first + second]

        def tested(carry: Any, state: Any) -> Any:
            (going,), state = self.program(params["cond_jaxpr"], [*tests, *carry], state)
            return going, carry, state

        def body(loop: Any) -> Any:
            _, carry, state = loop
            carry, state = self.program(params["body_jaxpr"], [*fixed, *carry], state)
            return tested(carry, state)

        start = tested(values[first + second :], state)
        _, carry, state = lax.while_loop(lambda loop: loop[0], body, start)
        return carry, state

    def cond(self, params: Any, values: list[Any], state: _State) -> tuple[list[Any], _State]:
        index, *operands = values
        branches = [partial(self.program, closed) for closed in params["branches"]]
        return switch(index, branches, operands, state)  # type: ignore[no-any-return]


_ENTERED: dict[str, Callable[..., Any]] = {
    "scan": _Run.scan,
    "while": _Run.while_,
    "cond": _Run.cond,
    **dict.fromkeys(_AROUND - {"scan", "while", "cond"}, _Run.call),
}


def _applied(eqn: Eqn, values: Sequence[Any]) -> list[Any]:
    out = eqn.primitive.bind(*values, **eqn.params)
    return list(out) if eqn.primitive.multiple_results else [out]


def _failed(state: _State, number: int, bad: Any, values: Sequence[Any]) -> _State:
    """Note the failure of a check, unless there is an earlier one."""
    first = (state.code < 0) & bad
    code = jnp.where(first, jnp.int32(number), state.code)
    kept = list(state.values)
    kept[number] = [
        jnp.where(first, new.astype(old.dtype), old)
        for old, new in zip(kept[number], values, strict=True)
    ]
    return _State(code, kept)


# --------------------------------------------------------------------------- indices


def _out_of_bounds(eqn: Eqn, values: Sequence[Any]) -> tuple[Any, list[Any]]:
    """Whether an index lies outside; the first such index, its axis and the axis' size."""
    shape = values[0].aval.shape
    indices, axes, sizes = _INDEXED[eqn.primitive.name](eqn, values)
    limits = np.array([shape[a] - s for a, s in zip(axes, sizes, strict=True)], np.int64)
    top = jnp.asarray(limits.astype(indices.dtype) if limits.size else limits, indices.dtype)
    outside = (indices < 0) | (indices > top)
    if not outside.size:
        return jnp.asarray(False), [jnp.zeros((), jnp.int32)] * 3
    place = jnp.argmax(outside.reshape(-1))
    column = place % len(axes)
    axis = jnp.asarray(np.array(axes, np.int32))[column]
    size = jnp.asarray(np.array([shape[a] for a in axes], np.int32))[column]
    found = indices.reshape(-1)[place].astype(jnp.int32)
    # the order of a dict's fields: axis, index, size
    return jnp.any(outside), [axis, found, size]


def _of_gather(eqn: Eqn, values: Sequence[Any]) -> tuple[Any, Sequence[int], Sequence[int]]:
    numbers, sizes = eqn.params["dimension_numbers"], eqn.params["slice_sizes"]
    axes = numbers.start_index_map
    return values[1], axes, [sizes[a] for a in axes]


def _of_scatter(eqn: Eqn, values: Sequence[Any]) -> tuple[Any, Sequence[int], Sequence[int]]:
    numbers = eqn.params["dimension_numbers"]
    axes = numbers.scatter_dims_to_operand_dims
    left_out = {*numbers.inserted_window_dims, *numbers.operand_batching_dims}
    windows = [a for a in range(values[0].aval.ndim) if a not in left_out]
    updates = values[2].aval.shape
    size = {a: updates[d] for a, d in zip(windows, numbers.update_window_dims, strict=True)}
    return values[1], axes, [size.get(a, 1) for a in axes]


def _of_slice(eqn: Eqn, values: Sequence[Any]) -> tuple[Any, Sequence[int], Sequence[int]]:
    updating = eqn.primitive.name == "dynamic_update_slice"
    starts = values[2:] if updating else values[1:]
    sizes = values[1].aval.shape if updating else eqn.params["slice_sizes"]
    axes = range(values[0].aval.ndim)
    if not starts:
        return jnp.zeros((0,), jnp.int32), [], []
    return jnp.stack([s.astype(jnp.int32) for s in starts]), list(axes), list(sizes)


_INDEXED: dict[str, Callable[..., Any]] = {
    "gather": _of_gather,
    "dynamic_slice": _of_slice,
    "dynamic_update_slice": _of_slice,
    **dict.fromkeys(
        ("scatter", "scatter-add", "scatter-sub", "scatter-mul", "scatter-min", "scatter-max"),
        _of_scatter,
    ),
}

__all__ = [
    "CheckError",
    "Error",
    "ErrorCategory",
    "all_checks",
    "automatic_checks",
    "check",
    "check_error",
    "checkify",
    "debug_check",
    "div_checks",
    "float_checks",
    "index_checks",
    "init_error",
    "nan_checks",
    "user_checks",
]
