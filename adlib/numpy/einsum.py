"""einsum: sums of products written as index notation, by way of pairwise contractions."""

from __future__ import annotations

import collections
from collections.abc import Sequence
from typing import Any

from adlib import lax
from adlib.base.source import here
from adlib.core.array import Array
from adlib.numpy.contraction import operands as pair
from adlib.numpy.creation import wanted_dtype
from adlib.numpy.matrices import diagonal
from adlib.numpy.promotion import convert, promote_dtypes, to_array

PrecisionLike = Any


def _optimizer() -> Any:
    """opt_einsum, imported when the first contraction of several arrays needs it."""
    import opt_einsum

    return opt_einsum


def einsum(
    subscripts: Any,
    /,
    *operands: Any,
    out: None = None,
    optimize: Any = "auto",
    precision: PrecisionLike = None,
    preferred_element_type: Any = None,
    _dot_general: Any = None,
    out_sharding: None = None,
) -> Array:
    """Sum of products of elements, as index notation says.

    ``"ij,jk->ik"`` is the product of matrices: an index that the result does not have is
    summed over, ``...`` stands for further axes, which broadcast. Without ``->`` the result
    has the indices that occur once, in alphabetical order.

    Args:
      subscripts: the notation; or operands and lists of ints alternate, with the result's
        list at the end, as in NumPy.
      operands: arrays.
      optimize: how to choose the order of contractions ("auto", "optimal", "greedy", a path).

    Raises:
      ValueError: the notation does not fit the operands.

    >>> import adlib.numpy as jnp
    >>> jnp.einsum("ij,j->i", jnp.ones((2, 3)), jnp.arange(3.0))
    Array([3., 3.], dtype=float32)
    """
    if out is not None:
        raise NotImplementedError("The 'out' argument to jnp.einsum is not supported.")
    if not isinstance(subscripts, str):
        operands, subscripts = (subscripts, *operands), None
        given, inputs, result = _from_lists(operands)
    else:
        given = list(operands)
        inputs, result = _terms(subscripts, len(given))
    arrays = [to_array(x, "einsum", i) for i, x in enumerate(given)]
    arrays = promote_dtypes("einsum", *arrays)
    inputs, result = _name_ellipsis(inputs, result, arrays)
    _check_sizes(inputs, result, arrays)
    if preferred_element_type is not None:
        found = wanted_dtype(preferred_element_type, "einsum")
        arrays = [convert(x, found) for x in arrays]
    path = _path(inputs, result, arrays, optimize)
    terms = list(zip(inputs, arrays, strict=True))
    for contraction in path:
        picked = [terms.pop(i) for i in sorted(contraction, reverse=True)][::-1]
        needed = set(result).union(*[names for names, _ in terms])
        while len(picked) > 1:
            later = needed.union(*[names for names, _ in picked[2:]])
            picked[:2] = [_product(picked[0], picked[1], later, precision)]
        terms.append(picked[0])
    names, x = _reduced(*terms[0], set(result))
    order = [names.index(n) for n in result]
    return lax.transpose(x, order)


def einsum_path(subscripts: Any, /, *operands: Any, optimize: Any = "auto") -> tuple[Any, Any]:
    """The order of contractions that ``einsum`` takes, and a table of its cost.

    >>> import adlib.numpy as jnp
    >>> x = jnp.ones((2, 2))
    >>> jnp.einsum_path("ij,jk,kl->il", x, x, x)[0]
    [(0, 1), (0, 1)]
    """
    optimize = "optimal" if optimize is True or optimize == "auto" else optimize
    return _optimizer().contract_path(subscripts, *operands, optimize=optimize)  # type: ignore[no-any-return]


# ----------------------------------------------------------------------- the notation


def _terms(subscripts: str, count: int) -> tuple[list[Any], Any]:
    """The indices of every operand and of the result (None where it is not given).

    Indices are characters; ``...`` becomes one Ellipsis among them.
    """
    text = subscripts.replace(" ", "")
    left, arrow, right = text.partition("->")
    inputs = [_indices(part, subscripts) for part in left.split(",")]
    if len(inputs) != count:
        raise ValueError(
            f"einsum: {subscripts!r} names {len(inputs)} operands, but {count} were given{here()}"
        )
    return inputs, _indices(right, subscripts) if arrow else None


def _indices(part: str, whole: str) -> list[Any]:
    marked = part.replace("...", "\0")
    for character in marked:
        if not (character.isalpha() or character == "\0"):
            raise ValueError(f"einsum: {character!r} in {whole!r} is no index{here()}")
    return [Ellipsis if c == "\0" else c for c in marked]


def _from_lists(operands: Sequence[Any]) -> tuple[list[Any], list[Any], Any]:
    given = list(operands[: len(operands) // 2 * 2 : 2])
    lists = [list(x) for x in operands[1 : len(operands) // 2 * 2 : 2]]
    result = list(operands[-1]) if len(operands) % 2 else None
    return given, lists, result


def _name_ellipsis(inputs: Any, result: Any, arrays: list[Array]) -> tuple[list[Any], list[Any]]:
    """``...`` replaced by names of its own, as many as an operand has axes left."""
    named, widest = [], 0
    for names, x in zip(inputs, arrays, strict=True):
        free = x.aval.ndim - sum(n is not Ellipsis for n in names)
        if free < 0 or (free and Ellipsis not in names):
            shown = "".join("..." if n is Ellipsis else str(n) for n in names)
            raise ValueError(
                f"einsum: operand of shape {x.aval.shape} does not fit its indices {shown!r}"
                f"{here()}"
            )
        widest = max(widest, free)
        # aligned at the end, as broadcasting does
        named.append(_replaced(names, [("...", k) for k in range(free - 1, -1, -1)]))
    every = [("...", k) for k in range(widest - 1, -1, -1)]
    if result is None:
        counts = collections.Counter(n for names in named for n in names)
        once = sorted(n for n, c in counts.items() if c == 1 and not isinstance(n, tuple))
        return named, [*every, *once]
    return named, _replaced(result, every)


def _replaced(names: Any, ellipsis: list[Any]) -> list[Any]:
    return [new for n in names for new in (ellipsis if n is Ellipsis else [n])]


def _check_sizes(inputs: Any, result: Any, arrays: list[Array]) -> None:
    sizes: dict[Any, int] = {}
    for position, (names, x) in enumerate(zip(inputs, arrays, strict=True)):
        for name, n in zip(names, x.aval.shape, strict=True):
            known = sizes.setdefault(name, n)
            if known == 1:
                sizes[name] = n
            elif n not in (1, known):
                raise ValueError(
                    f"Size of label {_shown(name)!r} for operand {position} ({n}) does not match "
                    f"previous terms ({known}).{here()}"
                )
    for name in result:
        if name not in sizes:
            raise ValueError(f"Output character {name!r} did not appear in the input{here()}")
    if len(set(result)) != len(result):
        raise ValueError(f"einsum: an index occurs twice in the result{here()}")


def _shown(name: Any) -> str:
    return "..." if isinstance(name, tuple) else str(name)


def _path(inputs: Any, result: Any, arrays: list[Array], optimize: Any) -> Any:
    if len(arrays) <= 2:
        return [tuple(range(len(arrays)))]
    if optimize is False:
        return [(0, 1)] * (len(arrays) - 1)
    if isinstance(optimize, (list, tuple)):
        return [p for p in optimize if not isinstance(p, str)]
    optimizer = _optimizer()
    letters: dict[Any, str] = {}

    def term(names: Any) -> str:
        for n in names:
            letters.setdefault(n, optimizer.get_symbol(len(letters)))
        return "".join(letters[n] for n in names)

    text = ",".join(map(term, inputs)) + "->" + term(result)
    method = "optimal" if optimize is True else optimize
    shapes = [x.aval.shape for x in arrays]
    return optimizer.contract_path(text, *shapes, shapes=True, optimize=method)[0]


# ---------------------------------------------------------------------- contraction


def _reduced(names: list[Any], x: Array, needed: set[Any]) -> tuple[list[Any], Array]:
    """Diagonals taken where an index repeats, and sums over indices that nobody needs."""
    names = list(names)
    for name in [n for n, c in collections.Counter(names).items() if c > 1]:
        while names.count(name) > 1:
            i = names.index(name)
            j = names.index(name, i + 1)
            x = diagonal(x, 0, i, j)
            names = [n for k, n in enumerate(names) if k not in (i, j)] + [name]
    gone = tuple([k for k, n in enumerate(names) if n not in needed])
    if gone:
        x = lax.reduce_sum(x, gone) if x.aval.dtype.kind != "b" else lax.reduce_or(x, gone)
        names = [n for n in names if n in needed]
    return names, x


def _product(first: Any, second: Any, needed: set[Any], precision: Any) -> tuple[list[Any], Array]:
    """Two terms contracted over their common indices that nobody needs any longer."""
    a_names, a = _reduced(*first, needed.union(second[0]))
    b_names, b = _reduced(*second, needed.union(a_names))
    a_names, a, b_names, b = _without_ones(a_names, a, b_names, b)
    a, b = pair("einsum", a, b)
    common = [n for n in a_names if n in b_names]
    batch = [n for n in common if n in needed]
    summed = [n for n in common if n not in needed]
    numbers = (
        (tuple(map(a_names.index, summed)), tuple(map(b_names.index, summed))),
        (tuple(map(a_names.index, batch)), tuple(map(b_names.index, batch))),
    )
    rest = [n for n in [*a_names, *b_names] if n not in common]
    return [*batch, *rest], lax.dot_general(a, b, numbers, precision, a.aval.dtype)


def _without_ones(a_names: Any, a: Array, b_names: Any, b: Array) -> tuple[Any, ...]:
    """An axis of size 1 that meets a longer one is dropped: it broadcasts."""
    sizes_a = dict(zip(a_names, a.aval.shape, strict=True))
    sizes_b = dict(zip(b_names, b.aval.shape, strict=True))
    drop_a = {n for n in sizes_a if n in sizes_b and sizes_a[n] == 1 != sizes_b[n]}
    drop_b = {n for n in sizes_b if n in sizes_a and sizes_b[n] == 1 != sizes_a[n]}
    a = lax.squeeze(a, [a_names.index(n) for n in drop_a])
    b = lax.squeeze(b, [b_names.index(n) for n in drop_b])
    return [n for n in a_names if n not in drop_a], a, [n for n in b_names if n not in drop_b], b
