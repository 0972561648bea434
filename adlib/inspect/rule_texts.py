"""Equations and their local derivatives as a textbook writes them: ``c = b·a``, ``cos(b)``."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from typing import Any

from adlib.core import Eqn
from adlib.inspect.texts import param_texts, shorten

# primitive: (the result, the derivative by each operand); {0}, {1} are operands, {r} is the
# result and {p} a parameter. "1" and "-1" are shares of the tangent itself.
_ELEMENTWISE: dict[str, tuple[str, tuple[str, ...]]] = {
    "add": ("{0} + {1}", ("1", "1")),
    "add_any": ("{0} + {1}", ("1", "1")),
    "sub": ("{0} − {1}", ("1", "-1")),
    "mul": ("{0}·{1}", ("{1}", "{0}")),
    "div": ("{0} / {1}", ("(1/{1})", "(−{r}/{1})")),
    "neg": ("−{0}", ("-1",)),
    "pow": ("{0}^{1}", ("{1}·{0}^({1}−1)", "log({0})·{r}")),
    "square": ("{0}²", ("2·{0}",)),
    "sqrt": ("√{0}", ("(1/(2·{r}))",)),
    "rsqrt": ("1/√{0}", ("(−{r}/(2·{0}))",)),
    "cbrt": ("cbrt {0}", ("(1/(3·{r}²))",)),
    "exp": ("exp {0}", ("{r}",)),
    "exp2": ("2^{0}", ("log(2)·{r}",)),
    "expm1": ("expm1 {0}", ("({r}+1)",)),
    "log": ("log {0}", ("(1/{0})",)),
    "log1p": ("log1p {0}", ("(1/(1+{0}))",)),
    "sin": ("sin {0}", ("cos({0})",)),
    "cos": ("cos {0}", ("(−sin({0}))",)),
    "tan": ("tan {0}", ("(1+{r}²)",)),
    "asin": ("asin {0}", ("(1/√(1−{0}²))",)),
    "acos": ("acos {0}", ("(−1/√(1−{0}²))",)),
    "atan": ("atan {0}", ("(1/(1+{0}²))",)),
    "sinh": ("sinh {0}", ("cosh({0})",)),
    "cosh": ("cosh {0}", ("sinh({0})",)),
    "tanh": ("tanh {0}", ("(1−{r}²)",)),
    "asinh": ("asinh {0}", ("(1/√({0}²+1))",)),
    "acosh": ("acosh {0}", ("(1/√({0}²−1))",)),
    "atanh": ("atanh {0}", ("(1/(1−{0}²))",)),
    "logistic": ("logistic {0}", ("{r}·(1−{r})",)),
    "erf": ("erf {0}", ("2/√π·exp(−{0}²)",)),
    "abs": ("|{0}|", ("sign({0})",)),
    "max": ("max({0}, {1})", ("[{0} ≥ {1}]", "[{1} ≥ {0}]")),
    "min": ("min({0}, {1})", ("[{0} ≤ {1}]", "[{1} ≤ {0}]")),
    "atan2": ("atan2({0}, {1})", ("{1}/({0}²+{1}²)", "(−{0}/({0}²+{1}²))")),
    "select_n": ("where({0}, {2}, {1})", ("0", "[not {0}]", "[{0}]")),
    "convert_element_type": ("{0} as {dtype}", ("1",)),
    "copy": ("{0}", ("1",)),
    "real": ("Re {0}", ("1",)),
}
_COMPARISONS = {"gt": ">", "lt": "<", "ge": "≥", "le": "≤", "eq": "=", "ne": "≠"}
_COMPARISONS |= {"and": "and", "or": "or"}
# What the transposes of linear operations do to a cotangent.
_TRANSPOSES = {
    "reduce_sum": "broadcast({ct})",
    "broadcast_in_dim": "sum({ct})",
    "reshape": "reshape({ct})",
    "squeeze": "reshape({ct})",
    "expand_dims": "reshape({ct})",
    "transpose": "transpose({ct})",
    "rev": "rev({ct})",
    "slice": "pad({ct})",
    "dynamic_slice": "pad({ct})",
    "gather": "scatter_add({ct})",
    "pad": "slice({ct})",
    "concatenate": "slice({ct})",
    "cumsum": "reversed cumsum({ct})",
    "reduce_max": "{ct} where {0} = {r}",
    "reduce_min": "{ct} where {0} = {r}",
    "reduce_prod": "{ct}·{r}/{0}",
    "reduce_window_sum": "spread({ct})",
}
_SUPERSCRIPTS = str.maketrans("0123456789-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻")
_CALLS = ("custom_jvp_call", "custom_vjp_call", "remat2", "custom_vjp_call_jaxpr")


def tangent_name(name: str) -> str:
    """The variable with a dot: its tangent.

    >>> tangent_name("b")
    'ḃ'
    """
    # i and j have a dot already, which a second one would hide
    dot = "\u02d9" if name.endswith(("i", "j")) else "\u0307"
    return unicodedata.normalize("NFC", name + dot)


def cotangent_name(name: str) -> str:
    """The variable with a bar: its cotangent.

    >>> cotangent_name("a")
    'ā'
    """
    return unicodedata.normalize("NFC", name + "\u0304")


def step_label(eqn: Eqn) -> str:
    """The primitive's name, or the called function's."""
    name = eqn.params.get("name")
    if eqn.primitive.name in _CALLS and isinstance(name, str):
        return shorten(name, 24)
    return eqn.primitive.name


def result_text(eqn: Eqn, operands: Sequence[str]) -> str:
    """The right side of an equation, e.g. ``sin b`` or ``a @ w``."""
    name = eqn.primitive.name
    if name == "integer_pow":
        return f"{operands[0]}{str(eqn.params['y']).translate(_SUPERSCRIPTS)}"
    if name in _COMPARISONS and len(operands) == 2:
        return f"{operands[0]} {_COMPARISONS[name]} {operands[1]}"
    if name == "dot_general" and _is_matmul(eqn):
        return f"{operands[0]} @ {operands[1]}"
    if name in _ELEMENTWISE and (name != "select_n" or len(operands) == 3):
        return _filled(_ELEMENTWISE[name][0], eqn, operands, "")
    if name in ("reduce_sum", "reduce_max", "reduce_min", "reduce_prod"):
        axes = eqn.params.get("axes", ())
        whole = len(axes) == len(eqn.invars[0].aval.shape)
        over = "" if whole else f", axis={','.join(map(str, axes))}"
        return f"{name.removeprefix('reduce_')}({operands[0]}{over})"
    if name in ("reshape", "squeeze", "broadcast_in_dim", "transpose", "stop_gradient"):
        return f"{name.removesuffix('_in_dim')} {operands[0]}"
    params = ", ".join(f"{key}={value}" for key, value in param_texts(eqn))
    text = f"{step_label(eqn)} {' '.join(operands)}".rstrip()
    return shorten(f"{text} [{params}]" if params else text, 44)


def partial_text(eqn: Eqn, port: int, operands: Sequence[str], result: str) -> str:
    """The derivative by one operand of an elementwise equation; empty where it has no text."""
    name = eqn.primitive.name
    if name == "integer_pow":
        y = eqn.params["y"]
        power = str(y - 1).translate(_SUPERSCRIPTS) if y != 2 else ""
        return f"{y}·{operands[0]}{power}" if y not in (0, 1) else str(y)
    if name not in _ELEMENTWISE or (name == "select_n" and len(operands) != 3):
        return ""
    partials = _ELEMENTWISE[name][1]
    return _filled(partials[port], eqn, operands, result) if port < len(partials) else ""


def share_text(partial: str, name: str, times: str) -> str:
    """A derivative times a tangent or a cotangent.

    >>> share_text("cos(b)", "ḃ", "·"), share_text("-1", "ḃ", "·")
    ('cos(b)·ḃ', '−ḃ')
    """
    if partial in ("1", "-1"):
        return name if partial == "1" else f"−{name}"
    return f"{partial}{times}{name}"


def push_text(eqn: Eqn, operands: Sequence[str], tangents: Sequence[str | None], out: str) -> str:
    """The rule for the result's tangent, e.g. ``cos(b)·ḃ``; None marks operands without one."""
    times = "·" if _is_scalar(eqn) else "⊙"
    shares = []
    for port, tangent in enumerate(tangents):
        if tangent is None:
            continue
        if partial := partial_text(eqn, port, operands, out):
            shares.append(share_text(partial, tangent, times))
        elif eqn.primitive.name == "dot_general":
            swapped = [tangent if i == port else name for i, name in enumerate(operands)]
            shares.append(result_text(eqn, swapped))
        elif eqn.primitive.name in _TRANSPOSES and "reduce_m" not in eqn.primitive.name:
            swapped = [tangent if i == port else name for i, name in enumerate(operands)]
            return result_text(eqn, swapped)
        else:
            symbol = f"∂{out}/∂{operands[port]}"
            shares.append(f"{symbol}{'·' if _is_scalar(eqn) else ' '}{tangent}")
    return " + ".join(shares).replace("+ −", "− ")


def pull_text(eqn: Eqn, port: int, operands: Sequence[str], result: str) -> str:
    """The rule for the share of one operand's cotangent, e.g. ``cos(b)·c̄``."""
    ct = cotangent_name(result)
    partial = partial_text(eqn, port, operands, result)
    if partial:
        text = share_text(partial, ct, "·" if _is_scalar(eqn) else "⊙")
        small = eqn.invars[port].aval.shape != eqn.outvars[0].aval.shape
        return f"sum({text})" if small else text
    name = eqn.primitive.name
    if name == "dot_general":
        if not _is_matmul(eqn):
            return f"contract({ct}, {operands[1 - port]})"
        if not eqn.outvars[0].aval.shape:
            return f"{ct}·{operands[1 - port]}"
        return _matmul_pull(eqn, port, operands, ct)
    if name in _TRANSPOSES:
        return _TRANSPOSES[name].format(*operands, r=result, ct=ct)
    return f"{ct}{'·' if _is_scalar(eqn) else ' '}∂{result}/∂{operands[port]}"


def _matmul_pull(eqn: Eqn, port: int, operands: Sequence[str], ct: str) -> str:
    left, right = (len(atom.aval.shape) for atom in eqn.invars)
    if port == 0:
        return f"{ct} ⊗ {operands[1]}" if right == 1 else f"{ct} @ {operands[1]}ᵀ"
    return f"{operands[0]} ⊗ {ct}" if left == 1 else f"{operands[0]}ᵀ @ {ct}"


def _is_matmul(eqn: Eqn) -> bool:
    """Whether a ``dot_general`` is what ``@`` writes for vectors and matrices."""
    (left, right), batch = eqn.params["dimension_numbers"]
    ranks = [len(atom.aval.shape) for atom in eqn.invars]
    plain = not any(len(dims) for dims in batch) and max(ranks) <= 2
    return plain and tuple(map(int, left)) == (ranks[0] - 1,) and tuple(map(int, right)) == (0,)


def _is_scalar(eqn: Eqn) -> bool:
    return not any(atom.aval.shape for atom in (*eqn.invars, *eqn.outvars))


def _filled(template: str, eqn: Eqn, operands: Sequence[str], result: str) -> str:
    dtype: Any = eqn.params.get("new_dtype")
    return template.format(*operands, r=result, dtype=getattr(dtype, "name", dtype))
