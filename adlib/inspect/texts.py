"""Short texts of what stands in an equation: its parameters, literals and constants."""

from __future__ import annotations

import enum
from typing import Any

import numpy as np

from adlib.core import ClosedJaxpr, Eqn, Jaxpr, Literal

SHORT = 60

# Parameters that say nothing to a reader of the mathematics.
_QUIET_PARAMS = frozenset(
    {
        "accuracy",
        "body_nconsts",
        "cond_nconsts",
        "const_lengths",
        "differentiated",
        "donated_invars",
        "indices_are_sorted",
        "inline",
        "is_stable",
        "keep_unused",
        "linear",
        "name",
        "num_carry",
        "num_consts",
        "out_sharding",
        "policy",
        "precision",
        "preferred_element_type",
        "prevent_cse",
        "sharding",
        "symbolic_zeros",
        "unique_indices",
        "weak_type",
    }
)


def param_texts(eqn: Eqn) -> tuple[tuple[str, str], ...]:
    """The parameters of an equation worth reading, as (name, short text), by name.

    Left out are those that the result's type already says (the shape of a broadcast), flags
    that are off, functions, jaxprs, and bookkeeping.
    """
    shapes = [var.aval.shape for var in eqn.outvars]
    texts: list[tuple[str, str]] = []
    for name, value in sorted(eqn.params.items()):
        if name in _QUIET_PARAMS or name.startswith("_") or value is None or value is False:
            continue
        if (name == "unroll" and value == 1) or value == ():
            continue
        if name in ("shape", "new_sizes") and value in shapes:
            continue
        if name == "dimension_numbers" and eqn.primitive.name == "dot_general":
            texts.extend(_contraction_texts(value))
        elif (text := value_text(value)) is not None:
            texts.append((name, shorten(text, SHORT)))
    return tuple(texts)


def _contraction_texts(dimension_numbers: Any) -> list[tuple[str, str]]:
    """The dimensions of a ``dot_general`` in words: ``contract 1·0``, ``batch 0·0``."""
    texts = []
    for word, (left, right) in zip(("contract", "batch"), dimension_numbers, strict=True):
        if len(left):
            texts.append((word, "·".join(",".join(str(int(d)) for d in s) for s in (left, right))))
    return texts


def value_text(value: Any) -> str | None:
    """Text of a parameter's value; None where it has none that is short and always the same.

    >>> value_text((1, np.dtype("float32"), "clip"))
    '(1, float32, clip)'
    >>> value_text(print) is None
    True
    """
    if isinstance(value, np.dtype):
        return value.name
    if isinstance(value, enum.Enum):
        return value.name.lower()
    if value is None or isinstance(value, (bool, int, float, complex, str, np.generic)):
        return str(value)
    if isinstance(value, slice):
        return ":".join("" if part is None else str(part) for part in
                        (value.start, value.stop, value.step)).removesuffix(":")  # fmt: skip
    if isinstance(value, (tuple, list)):
        items = [value_text(item) for item in value]
        if any(item is None for item in items):
            return None
        if hasattr(value, "_fields"):
            pairs = zip(value._fields, items, strict=True)
            return ", ".join(f"{name}={item}" for name, item in pairs if item != "()")
        return f"({', '.join(map(str, items))}{',' if len(items) == 1 else ''})"
    return None


def literal_text(literal: Literal) -> str:
    """A literal as an operand, without its type: ``1.0``, ``True``."""
    value = literal.val
    return str(value)  # of a float32, as few digits as tell it apart


def constant_text(value: Any, most: int = 6) -> str:
    """The entries of a small constant on one line; empty where there are more than ``most``.

    >>> constant_text(np.array([1.0, 2.5]))
    '[1.  2.5]'
    """
    if getattr(value, "size", most + 1) > most:
        return ""
    try:
        array = np.asarray(value)
    except TypeError:  # keys and other arrays that are no numbers
        return ""
    text = np.array2string(array, precision=4, separator=" ", max_line_width=10**6)
    return shorten(" ".join(text.split("\n")), SHORT)


def shorten(text: str, most: int) -> str:
    """``text``, or its first ``most - 1`` characters and an ellipsis.

    >>> shorten("transpose", 6)
    'trans…'
    """
    return text if len(text) <= most else text[: most - 1] + "…"


def program_title(eqn: Eqn, param: str, position: int | None) -> str:
    """What a jaxpr among an equation's parameters is to that equation.

    ``body``, ``condition``, ``true branch``, or the name of the function that is called.
    """
    if param == "branches":
        if len(eqn.params["branches"]) == 2:
            return "true branch" if position else "false branch"
        return f"branch {position}"
    if param == "cond_jaxpr":
        return "condition"
    if param in ("jaxpr", "call_jaxpr", "fun_jaxpr", "body_jaxpr"):
        name = eqn.params.get("name")
        named = isinstance(name, str) and name and eqn.primitive.name not in ("scan", "while")
        return name if named else "body"  # type: ignore[return-value]
    return param if position is None else f"{param} {position}"


def nested_programs(
    params: dict[str, Any],
) -> list[tuple[str, int | None, ClosedJaxpr | Jaxpr]]:
    """Every jaxpr among an equation's parameters, as (parameter, position, jaxpr), as it prints.

    ``position`` counts where a parameter holds several (the branches of a ``cond``).
    """
    found: list[tuple[str, int | None, ClosedJaxpr | Jaxpr]] = []
    for name, value in sorted(params.items()):
        if isinstance(value, (ClosedJaxpr, Jaxpr)):
            found.append((name, None, value))
        elif isinstance(value, (tuple, list)):
            several = [item for item in value if isinstance(item, (ClosedJaxpr, Jaxpr))]
            found.extend((name, position, item) for position, item in enumerate(several))
    return found
