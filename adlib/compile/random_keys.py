"""Keys of random numbers as integers, and what is made of them as arithmetic.

In memory a key is a 64-bit integer, whose lower half is its first word. Before a program is
scheduled its keys become just that, and splitting, folding and drawing bits become the Threefry
generator's arithmetic on counters: every random number is computed where it is read, in the same
loop as what becomes of it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from adlib.base.config import config
from adlib.compile.writing import Writing
from adlib.core.array import ArrayImpl
from adlib.core.avals import ShapedArray, physical_dtype
from adlib.core.dtypes import KeyDType
from adlib.core.jaxpr import Atom, ClosedJaxpr, Eqn, Jaxpr, Literal, Var
from adlib.core.primitive import registry
from adlib.ops.bit_generator import RandomAlgorithm

_U32, _U64 = np.dtype(np.uint32), np.dtype(np.uint64)
_PROGRAMS = {"scan": ("jaxpr",), "while": ("cond_jaxpr", "body_jaxpr"), "cond": ("branches",)}


def as_integers(closed: ClosedJaxpr) -> ClosedJaxpr:
    """The program over the memory of its keys; itself where it has none."""
    return _Rewriting(closed).program()


class _Rewriting:
    """One program, equation by equation."""

    def __init__(self, closed: ClosedJaxpr) -> None:
        self.closed = closed
        self.names: dict[Var, Var] = {}
        self.changed = False

    def program(self) -> ClosedJaxpr:
        old = self.closed.jaxpr
        constvars = [self.variable(v) for v in old.constvars]
        invars = [self.variable(v) for v in old.invars]
        eqns: list[Eqn] = []
        for eqn in old.eqns:
            eqns += self.equation(eqn)
        outvars = [self.atom(a) for a in old.outvars]
        if not self.changed:
            return self.closed
        consts = [_plain(c) for c in self.closed.consts]
        return ClosedJaxpr(Jaxpr(constvars, invars, outvars, eqns), consts)

    def variable(self, var: Var) -> Var:
        found = self.names.get(var)
        if found is not None:
            return found
        if not isinstance(var.aval.dtype, KeyDType):
            return var
        self.changed = True
        found = self.names[var] = Var(_plain_aval(var.aval))
        return found

    def atom(self, atom: Atom) -> Atom:
        if type(atom) is Literal:
            if isinstance(atom.aval.dtype, KeyDType):
                self.changed = True
                return Literal(_plain(atom.array))
            return atom
        assert type(atom) is Var
        return self.variable(atom)

    def equation(self, eqn: Eqn) -> list[Eqn]:
        name = eqn.primitive.name
        invars = [self.atom(a) for a in eqn.invars]
        outvars = [self.variable(v) for v in eqn.outvars]
        if any(
            a is not b
            for a, b in zip((*invars, *outvars), (*eqn.invars, *eqn.outvars), strict=True)
        ):
            eqn = eqn.replace(invars=invars, outvars=outvars)
        rule = _RULES.get(name)
        if rule is _generate and not _words_in_order(eqn):
            rule = None
        if rule is not None and (config.jax_threefry_partitionable or name not in _COUNTING):
            self.changed = True
            writing = Writing(eqn)
            rule(writing)
            return writing.eqns
        params = {}
        for key in _PROGRAMS.get(name, ()):
            value = eqn.params[key]
            new: Any = (
                tuple([as_integers(p) for p in value])
                if isinstance(value, tuple)
                else as_integers(value)
            )
            if new is not value and new != value:
                params[key] = new
        if params:
            self.changed = True
            eqn = eqn.replace(params={**eqn.params, **params})
        return [eqn]


def _plain_aval(aval: ShapedArray) -> ShapedArray:
    return ShapedArray(aval.shape, physical_dtype(aval))


def _plain(array: Any) -> Any:
    if isinstance(getattr(array.aval, "dtype", None), KeyDType):
        return ArrayImpl(array._value, _plain_aval(array.aval))
    return array


# ------------------------------------------------------------------------------ words


def _words(w: Writing, key: Atom, shape: tuple[int, ...]) -> list[Atom]:
    """The two words of keys, for results of ``shape``, whose first axes are those of the keys."""
    high = w("shift_right_logical", key, w.number(32, _U64))
    found = []
    for part in (key, high):
        word = _converted(w, part, _U32)
        dims = tuple(range(len(key.aval.shape)))
        if word.aval.shape != shape:
            word = w("broadcast_in_dim", word, shape=shape, broadcast_dimensions=dims)
        found.append(word)
    return found


def _converted(w: Writing, x: Atom, dtype: Any, into: Var | None = None) -> Atom:
    if x.aval.dtype == dtype and into is None:
        return x
    return w("convert_element_type", x, into=into, new_dtype=dtype, weak_type=False)


def _key(w: Writing, first: Atom, second: Atom, into: Var | None = None) -> Atom:
    """A key out of its words."""
    high = w("shift_left", _converted(w, second, _U64), w.number(32, _U64))
    return w("or", high, _converted(w, first, _U64), into=into)


def _scrambled(w: Writing, words: Sequence[Atom], x0: Atom, x1: Atom) -> list[Var]:
    operands = [*words, x0, x1]
    avals = registry["threefry2x32"].abstract([a.aval for a in operands], {})
    outs = [Var(aval) for aval in avals]
    w.eqns.append(Eqn(registry["threefry2x32"], operands, outs, {}, w.eqn.source))
    return outs


def _counters(w: Writing, sizes: tuple[int, ...], shape: tuple[int, ...]) -> list[Atom]:
    """The numbers of the last axes' elements as two words, the higher one first."""
    zero = w.number(0, _U32)
    count = math.prod(sizes)
    if count == 1:
        return [zero, zero]
    wide = count > 1 << 32
    number = w("iota", dtype=_U64 if wide else _U32, shape=(count,), dimension=0, sharding=None)
    if len(sizes) != 1:
        number = w("reshape", number, new_sizes=sizes, dimensions=None)
    dims = tuple(range(len(shape) - len(sizes), len(shape)))
    if sizes != shape:
        number = w("broadcast_in_dim", number, shape=shape, broadcast_dimensions=dims)
    if not wide:
        return [zero, number]
    high = w("shift_right_logical", number, w.number(32, _U64))
    return [_converted(w, high, _U32), _converted(w, number, _U32)]


def _drawn(w: Writing) -> list[Var] | None:
    """The words that keys and counters give; None where none are asked for."""
    (key,), sizes = w.eqn.invars, w.eqn.params["shape"]
    out = w.eqn.outvars[0]
    shape = out.aval.shape
    if 0 in shape:
        zero = w.number(0, out.aval.dtype)
        w("broadcast_in_dim", zero, into=out, shape=shape, broadcast_dimensions=())
        return None
    return _scrambled(w, _words(w, key, shape), *_counters(w, sizes, shape))


# ------------------------------------------------------------------------------ rules


def _bits(w: Writing) -> None:
    words = _drawn(w)
    if words is None:
        return
    (out,) = w.eqn.outvars
    width, dtype = w.eqn.params["bit_width"], out.aval.dtype
    if width == 64:
        high = w("shift_left", _converted(w, words[0], dtype), w.number(32, dtype))
        w("or", high, _converted(w, words[1], dtype), into=out)
    elif width == 32:
        w("xor", *words, into=out)
    else:
        _converted(w, w("xor", *words), dtype, into=out)


def _split(w: Writing) -> None:
    words = _drawn(w)
    if words is not None:
        _key(w, words[0], words[1], w.eqn.outvars[0])


def _fold_in(w: Writing) -> None:
    key, data = w.eqn.invars
    out = w.eqn.outvars[0]
    shape = out.aval.shape
    key, data = _spread(w, key, shape), _spread(w, data, shape)
    words = _scrambled(w, _words(w, key, shape), w.number(0, _U32), data)
    _key(w, words[0], words[1], out)


def _spread(w: Writing, x: Atom, shape: tuple[int, ...]) -> Atom:
    if x.aval.shape == shape:
        return x
    dims = tuple(range(len(shape) - len(x.aval.shape), len(shape)))
    return w("broadcast_in_dim", x, shape=shape, broadcast_dimensions=dims)


def _seed(w: Writing) -> None:
    (seed,) = w.eqn.invars
    first: Atom = w.number(0, _U32)
    if seed.aval.dtype.itemsize == 8:
        whole = _converted(w, seed, _U64)
        first = _converted(w, w("shift_right_logical", whole, w.number(32, _U64)), _U32)
    _key(w, first, _converted(w, seed, _U32), into=w.eqn.outvars[0])


def _wrap(w: Writing) -> None:
    (words,) = w.eqn.invars
    *lead, _ = words.aval.shape
    parts = []
    for i in (0, 1):
        part = w(
            "slice",
            words,
            start_indices=(*(0,) * len(lead), i),
            limit_indices=(*lead, i + 1),
            strides=None,
        )
        parts.append(w("squeeze", part, dimensions=(len(lead),)))
    _key(w, parts[0], parts[1], w.eqn.outvars[0])


def _unwrap(w: Writing) -> None:
    (key,) = w.eqn.invars
    (out,) = w.eqn.outvars
    shape = out.aval.shape
    rank = len(shape)
    both = w("broadcast_in_dim", key, shape=shape, broadcast_dimensions=tuple(range(rank - 1)))
    places = w("iota", dtype=_U64, shape=shape, dimension=rank - 1, sharding=None)
    amounts = w("mul", places, w.number(32, _U64))
    _converted(w, w("shift_right_logical", both, amounts), _U32, into=out)


def _clone(w: Writing) -> None:
    w("copy", *w.eqn.invars, into=w.eqn.outvars[0])


def _words_in_order(eqn: Eqn) -> bool:
    """Whether the numbers are Threefry's words one after another; else the kernel runs."""
    params = eqn.params
    plain = len(params["shape"]) <= 1 or eqn.outvars[1].aval.dtype.itemsize == 8
    return plain and params["algorithm"] == RandomAlgorithm.RNG_THREE_FRY


def _generate(w: Writing) -> None:
    """``rng_bit_generator``: words 2 and 3 of the state count blocks, the low word first."""
    (state,) = w.eqn.invars
    moved, out = w.eqn.outvars
    lead = state.aval.shape[:-1]
    count = math.prod(w.eqn.params["shape"])
    wide = out.aval.dtype.itemsize == 8
    blocks = count if wide else (count + 1) // 2
    halves = _halves(w, state)
    k0, k1 = _split_words(w, halves[0])
    after = w("add", halves[1], w.number(blocks, _U64))
    _joined_state(w, halves[0], after, moved)
    if 0 in out.aval.shape:
        zero = w.number(0, out.aval.dtype)
        w("broadcast_in_dim", zero, into=out, shape=out.aval.shape, broadcast_dimensions=())
        return
    shape = (*lead, blocks)
    own = tuple(range(len(lead)))

    def spread(x: Atom) -> Var:
        return w("broadcast_in_dim", x, shape=shape, broadcast_dimensions=own)

    places = w("iota", dtype=_U64, shape=shape, dimension=len(lead), sharding=None)
    numbers = w("add", spread(halves[1]), places)
    words = _scrambled(w, [spread(k0), spread(k1)], *_split_words(w, numbers))
    if wide:
        flat: Atom = _key(w, words[0], words[1])
    else:
        pair = (*shape, 1)
        kept = tuple(range(len(shape)))
        columns = [w("broadcast_in_dim", x, shape=pair, broadcast_dimensions=kept) for x in words]
        both = w("concatenate", *columns, dimension=len(shape))
        flat = w("reshape", both, new_sizes=(*lead, 2 * blocks), dimensions=None)
        if count != 2 * blocks:
            flat = w(
                "slice",
                flat,
                start_indices=(0,) * len(shape),
                limit_indices=(*lead, count),
                strides=None,
            )
        flat = _converted(w, flat, out.aval.dtype)
    w("reshape", flat, into=out, new_sizes=out.aval.shape, dimensions=None)


def _split_words(w: Writing, x: Atom) -> list[Atom]:
    """The low and the high word."""
    high = w("shift_right_logical", x, w.number(32, _U64))
    return [_converted(w, x, _U32), _converted(w, high, _U32)]


def _halves(w: Writing, state: Atom) -> list[Atom]:
    """The state as two 64-bit integers."""
    *lead, size = state.aval.shape
    columns = []
    for i in range(size):
        part = w(
            "slice",
            state,
            start_indices=(*(0,) * len(lead), i),
            limit_indices=(*lead, i + 1),
            strides=None,
        )
        columns.append(w("squeeze", part, dimensions=(len(lead),)))
    if size == 2:
        return list(columns)
    return [_key(w, columns[0], columns[1]), _key(w, columns[2], columns[3])]


def _joined_state(w: Writing, key: Atom, counter: Atom, into: Var) -> None:
    shape = into.aval.shape
    lead = shape[:-1]
    own = tuple(range(len(lead)))
    parts: list[Atom] = [key, counter]
    if shape[-1] == 4:
        parts = [*_split_words(w, key), *_split_words(w, counter)]
    columns = [w("broadcast_in_dim", x, shape=(*lead, 1), broadcast_dimensions=own) for x in parts]
    w("concatenate", *columns, into=into, dimension=len(lead))


_RULES: dict[str, Callable[[Writing], None]] = {
    "random_bits": _bits,
    "random_split": _split,
    "random_fold_in": _fold_in,
    "random_seed": _seed,
    "random_wrap": _wrap,
    "random_unwrap": _unwrap,
    "random_clone": _clone,
    "rng_bit_generator": _generate,
}
# Those whose counters are another layout's when they are not partitionable.
_COUNTING = frozenset({"random_bits", "random_split"})
