"""Calling compiled programs from Python: a built-in function for each jitted function.

``caller`` makes it of tables, one for each signature that was seen; ``calling_text`` has the
native code that reads them. A table says which structure and types the arguments must have, and
holds a reference to all that it names.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from adlib.base.config import _overrides as config_overrides
from adlib.base.config import config
from adlib.compile import cache, calling_text, engine, layout, memory
from adlib.compile.calling_text import CHECK, RESULT, WORDS
from adlib.core import backend, evaluate
from adlib.core.array import ArrayImpl
from adlib.core.avals import ShapedArray
from adlib.core.evaluate import EvalTrace
from adlib.core.trace import state

# Checks, results and addresses of a call lie on the stack: no more than so many of each.
_MOST = 4096


class Fixed:
    """An argument that must be this very object."""

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value


class Plan(NamedTuple):
    """What a program takes and gives, where it is one native function.

    Attributes:
      function: address of ``i32 (ptr pointers, ptr arena)``; not 0 where an exception is set.
      pointers: addresses that it is given: those of constants, 0 for all others.
      places: for each argument its place among them, -1 where it is not read.
      results: (kind, of what, place) for each result; see ``calling_text``.
      reuses: for results that may take the memory of an argument, its number.
      arena: bytes for temporaries.
      releases: whether the interpreter's lock is given up for the work.
      keep: what must live as long as the plan.
    """

    function: int
    pointers: list[int]
    places: list[int]
    results: list[tuple[int, Any, int]]
    reuses: dict[int, int]
    arena: int
    releases: bool
    keep: Any


class Table:
    """The words of one signature, and what they point to."""

    def __init__(self) -> None:
        self.keep: list[Any] = []
        self.words = np.zeros(len(WORDS), np.int64)

    def address(self, thing: Any) -> int:
        """The address of a Python object, which is kept."""
        self.keep.append(thing)
        return id(thing)

    def array(self, numbers: Any) -> int:
        """The address of words in memory, which is kept."""
        made = np.array(numbers, np.int64).reshape(-1)
        self.keep.append(made)
        return int(made.ctypes.data)

    def fill(self, **values: int) -> None:
        for name, value in values.items():
            self.words[WORDS.index(name)] = value


def table(
    plan: Plan,
    positional: Sequence[Any],
    named: dict[str, Any],
    leaves: Sequence[Any],
    avals: Sequence[ShapedArray],
    result: Any,
    out_avals: Sequence[ShapedArray],
    donated: Sequence[int] = (),
) -> Table | None:
    """The table of a signature; None for what native code does not take apart or put together.

    Args:
      plan: of the program.
      positional, named: arguments, with numbers of leaves, or ``Fixed``, in the place of values.
      leaves, avals: the values that were given, and their types for the program.
      result: the structure of the result, with numbers in the place of values.
      out_avals: types of the results.
      donated: numbers of the leaves whose memory is given away.
    """
    made = Table()
    try:
        checks = _checks(made, plan, positional, named, leaves, avals)
        parts: list[list[int]] = []
        _parts(made, result, parts)
    except _Foreign:
        return None
    results = [_result(made, r, a) for r, a in zip(plan.results, out_avals, strict=True)]
    if max(len(checks), len(results), len(parts), len(plan.pointers)) > _MOST:
        return None
    if any(r[0] == calling_text.ARGUMENT and not _is_array(leaves[r[1]]) for r in plan.results):
        return None
    if any(not _is_array(leaves[number]) for number in donated):
        return None
    of_leaf = {c[CHECK_LEAF]: i for i, c in enumerate(checks)}
    for number in donated:
        checks[of_leaf[number]][CHECK["donated"]] = 1
    for number, leaf in plan.reuses.items():
        results[number][RESULT["reuses"]] = of_leaf[leaf]
    for r in results:
        if r[0] == calling_text.ARGUMENT:
            r[1] = of_leaf[r[1]]
    large = plan.arena > memory.SMALL
    block = ((plan.arena,), np.dtype(np.uint8), plan.arena)
    made.fill(
        positional=len(positional),
        names=len(named),
        key_names=made.array([made.address(name) for name in named]),
        checks=len(checks),
        checks_at=made.array([c[:CHECK_LEAF] for c in checks]),
        results=len(results),
        results_at=made.array(results),
        parts=len(parts),
        parts_at=made.array(parts),
        donates=len(donated),
        pointers=len(plan.pointers),
        pointers_at=made.array(plan.pointers),
        function=plan.function,
        arena=made.address(block) if large else 0,
        arena_size=0 if large else plan.arena,
        releases=int(plan.releases),
    )
    made.keep.append(plan)
    return made


class _Foreign(Exception):
    """A structure that native code does not know."""


CHECK_LEAF = calling_text.CHECK_WORDS  # the leaf's number, behind the words of a check

_CONTAINERS: dict[Any, int] = {
    tuple: calling_text.TUPLE,
    list: calling_text.LIST,
    dict: calling_text.DICT,
}
_NUMBERS = {
    (float, "f4"): calling_text.FLOAT4,
    (float, "f8"): calling_text.FLOAT8,
    (int, "i4"): calling_text.INT4,
    (int, "i8"): calling_text.INT8,
    (bool, "b1"): calling_text.BOOLEAN,
}


def _is_array(x: Any) -> bool:
    return type(x) is ArrayImpl


def _is_named_tuple(kind: type) -> bool:
    return issubclass(kind, tuple) and isinstance(getattr(kind, "_fields", None), tuple)


def _checks(
    made: Table,
    plan: Plan,
    positional: Sequence[Any],
    named: dict[str, Any],
    leaves: Sequence[Any],
    avals: Sequence[ShapedArray],
) -> list[list[int]]:
    """The words of all checks, parents first, each with the number of its leaf behind them."""
    checks: list[list[int]] = []

    def add(kind: int, path: Any, type_: type, wanted: int, place: int = -1, leaf: int = -1) -> int:
        words = [0] * calling_text.CHECK_WORDS
        values = (kind, *path, made.address(type_), wanted, place, 0)
        for number, value in zip(CHECK.values(), values, strict=True):
            words[number] = value
        checks.append([*words, leaf])
        return len(checks) - 1

    def walk(thing: Any, path: tuple[int, int, int]) -> None:
        kind = type(thing)
        if kind is int:
            number, wanted = _leaf(made, leaves[thing], avals[thing])
            add(number, path, type(leaves[thing]), wanted, plan.places[thing], thing)
        elif kind is Fixed:
            value = thing.value
            add(calling_text.IDENTICAL, path, type(value), made.address(value))
        elif thing is None:
            add(calling_text.NOTHING, path, kind, 0)
        elif kind in _CONTAINERS or _is_named_tuple(kind):
            number = add(_CONTAINERS.get(kind, calling_text.TUPLE), path, kind, len(thing))
            if kind is dict:
                for key, item in thing.items():
                    walk(item, (calling_text.FROM_DICT, number, made.address(key)))
                return
            fetch = calling_text.FROM_LIST if kind is list else calling_text.FROM_TUPLE
            for i, item in enumerate(thing):
                walk(item, (fetch, number, i))
        else:
            raise _Foreign

    for i, thing in enumerate((*positional, *named.values())):
        walk(thing, (calling_text.FROM_ARGUMENTS, 0, i))
    return checks


def _leaf(made: Table, value: Any, aval: ShapedArray) -> tuple[int, int]:
    if _is_array(value):
        return calling_text.ARRAY, made.address(aval)
    if type(value) is np.ndarray and layout.shape() is not None:
        if value.dtype is not np.dtype(aval.dtype) or value.shape != aval.shape:
            raise _Foreign
        return calling_text.NDARRAY, made.array(
            [made.address(value.dtype), value.ndim, *value.shape]
        )
    found = _NUMBERS.get((type(value), aval.dtype.str[1:]))
    if found is None:
        raise _Foreign
    return found, 0


def _parts(made: Table, thing: Any, parts: list[list[int]]) -> None:
    """The words of a result's structure, children first."""
    kind = type(thing)
    if kind is int:
        parts.append([calling_text.A_RESULT, 0, 0])
        return
    if thing is None:
        parts.append([calling_text.A_NONE, 0, 0])
        return
    if kind is not dict and kind is not list and kind is not tuple and not _is_named_tuple(kind):
        raise _Foreign
    for item in thing.values() if kind is dict else thing:
        _parts(made, item, parts)
    if kind is dict:
        parts.append([calling_text.A_DICT, len(thing), made.address(tuple(thing))])
    elif kind is list or kind is tuple:
        number = calling_text.A_LIST if kind is list else calling_text.A_TUPLE
        parts.append([number, len(thing), 0])
    else:
        parts.append([calling_text.A_NAMED, len(thing), made.address(_of_fields(kind))])


def _of_fields(kind: Any) -> Any:
    return lambda *fields: kind(*fields)


def _result(made: Table, result: tuple[int, Any, int], aval: ShapedArray) -> list[int]:
    kind, of, place = result
    words = [0] * calling_text.RESULT_WORDS
    words[RESULT["aval"]] = made.address(aval)
    words[RESULT["place"]] = place
    words[RESULT["reuses"]] = -1
    words[RESULT["bytes"]] = aval.nbytes
    if kind == calling_text.FRESH and aval.nbytes > memory.SMALL:
        kind, of = calling_text.POOLED, (aval.shape, aval.dtype, aval.nbytes)
    if kind == calling_text.FRESH:
        of = aval.dtype
        words[RESULT["rank"]] = aval.ndim
        words[RESULT["sizes"]] = made.array([*aval.shape, 0])
    words[RESULT["kind"]] = kind
    words[RESULT["of"]] = (
        of if kind in (calling_text.ARGUMENT, calling_text.SAME) else made.address(of)
    )
    return words


# ------------------------------------------------------------------ the native function

_OBJECTS = {
    "ndarray": np.ndarray,
    "ArrayImpl": ArrayImpl,
    "None": None,
    "NotImplemented": NotImplemented,
    "take": memory.pool.take,
    "Block": memory.Block,
    "False": False,
    "EvalTrace": EvalTrace,
    "watch": evaluate._watch,
    "backends": vars(backend),
    "several": "several",
    "state": state,
    "trace": "trace",
    "overrides": config_overrides,
    "config": vars(config),
    "process_key": "_trace_values",
    "key": "key",
    "process": "process",
}


@functools.cache
def _loaded() -> tuple[int, Any]:
    """The address of the native function, and what keeps it."""
    module = calling_text.module()
    # not optimised: a tenth slower, and made in a tenth of the time
    loaded = cache.load(engine.QUICK + module.text(), ["links", "call"])
    engine.write_pointers(loaded.addresses["links"], [_address(name) for name in module.links])
    return loaded.addresses["call"], loaded


def _address(name: str) -> int:
    kind, _, rest = name.partition(":")
    if kind == "object":
        return id(_OBJECTS[rest])
    return layout.numpy_address(rest) if kind == "numpy" else layout.address_of(rest)


def caller(flags: Any, tables: Sequence[Table]) -> Any:
    """The function that tries these signatures, under flags whose key (``config.trace_key``) is
    this object: the result, or NotImplemented."""
    address, loaded = _loaded()
    tables = list(tables)
    addresses = [t.words.ctypes.data for t in tables]
    words = np.array([len(tables), id(flags), *addresses], np.int64)
    return layout.keyword_function(address, "compiled", words, flags, tables, loaded)
