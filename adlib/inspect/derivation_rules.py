"""The rule by which an equation of a derived program follows from the one that it comes from."""

from __future__ import annotations

from collections.abc import Sequence

from adlib.core import Eqn
from adlib.inspect.rule_texts import push_text

STAGES = {
    "f": "The program as it was traced: one equation for each operation.",
    "jvp": "Every equation is followed by the tangent of its result: the same inputs, moved a "
    "little, move the results so much.",
    "known": "What depends on no tangent runs at once. It gives the function's result, and the "
    "residuals: the values that the linear part will read.",
    "unknown": "What depends on a tangent waits for one. Given the residuals it is linear in the "
    "tangents.",
    "transpose": "The linear part backwards: a cotangent for the result goes in, and each "
    "equation hands it on to its operands, the last equation first.",
    "vmap": "One program for all examples: every value that depends on a mapped argument gets a "
    "new axis.",
    "optimised": "What is compiled when the function is jitted: the same results from less work. "
    "Equations that share a bracket are computed in one pass.",
}

# What a linear operation's transpose does; {k} are its fixed operands.
_TRANSPOSES = {
    "mul": "multiplying by {k} is its own transpose, so {k} multiplies the cotangent",
    "div": "dividing by {k} is its own transpose, so the cotangent is divided by {k}",
    "neg": "the sign goes over to the cotangent",
    "add": "a sum hands its cotangent to each term",
    "add_any": "a sum hands its cotangent to each term",
    "sub": "a difference hands its cotangent to the first term, and with a minus to the second",
    "reduce_sum": "every entry went into the sum, so every entry gets the sum's cotangent: "
    "the transpose of a sum is a broadcast",
    "broadcast_in_dim": "each entry was copied, so the cotangents of its copies are added: "
    "the transpose of a broadcast is a sum",
    "dot_general": "the transpose of a product with {k} is a product with {k} transposed",
    "conv_general_dilated": "the transpose of a convolution with {k} is a convolution with {k} "
    "turned round",
    "transpose": "the axes go back to their places",
    "reshape": "the entries go back into their old shape",
    "squeeze": "the axes of size 1 come back",
    "expand_dims": "the axes of size 1 go away again",
    "convert_element_type": "the cotangent goes back to the old dtype",
    "copy": "a copy hands its cotangent on",
    "real": "the real part hands its cotangent on",
    "select_n": "the cotangent goes to the operand that was chosen, and zero to the others",
    "slice": "reading a part becomes writing it: zeros all around the cotangent",
    "dynamic_slice": "reading a part becomes adding to it: zeros all around the cotangent",
    "gather": "reading entries becomes adding the cotangents at their places",
    "pad": "padding becomes cutting: the cotangent of the inner part",
    "concatenate": "each part takes its piece of the cotangent",
    "rev": "the order turns back",
    "cumsum": "a running sum becomes one from the other end",
    "integer_pow": "its derivative, taken before, multiplies the cotangent",
    "scan": "the loop runs from its last round to its first, with the transpose of its body",
    "while": "the loop runs backwards, with the transpose of its body",
    "cond": "the transpose of the branch that was taken",
    "remat2": "a checkpoint: its equations run a second time, then their transposes",
    "jit": "the transpose of the program inside",
    "custom_vjp_call": "the function's own backward rule",
    "custom_lin": "the function's own backward rule",
}
_INSIDE = {
    "scan": "one loop for values and tangents; its body is the jvp of the body",
    "while": "one loop for values and tangents; its body is the jvp of the body",
    "cond": "each branch becomes its jvp",
    "remat2": "still one checkpoint, around the jvp of what is inside",
    "jit": "the jvp of the program inside",
    "custom_jvp_call": "the function's own jvp rule",
    "custom_vjp_call": "its forward function runs, and its backward function waits",
}
_BATCHED = {
    "dot_general": "the product of all examples is one product with one more axis",
    "conv_general_dilated": "the examples join the convolution's own batch axis",
    "reshape": "the new axis stays, the others take their new shape",
    "broadcast_in_dim": "the new axis stays where it is, the others are broadcast",
    "transpose": "the new axis takes part in the order of the axes",
    "concatenate": "the parts are joined beside the new axis",
    "scan": "one loop, whose carry and slices have the new axis",
    "while": "one loop, which runs until the last example is done",
    "cond": "both branches run, and each example chooses its result",
    "gather": "each example reads its own entries",
    "iota": "the same for all examples",
}


def jvp_rule(eqn: Eqn, parent: Eqn, names: Sequence[str], *, tangent: bool, same: bool) -> str:
    """How an equation of the pushforward follows.

    Args:
      eqn, parent: the equation, and that of the program.
      names: of the parent's operands, of their tangents (empty where there are none), and of
        its first result and that one's tangent.
      tangent: whether the equation computes one.
      same: whether it is the parent itself.
    """
    name = parent.primitive.name
    if same:
        return f"{name} itself: values are computed as before."
    if name in _INSIDE or not parent.primitive.first_order:
        return f"jvp of {name}: {_INSIDE.get(name, 'the program inside, with tangents')}."
    count = len(parent.invars)
    operands, tangents = names[:count], [name or None for name in names[count : 2 * count]]
    out, out_tangent = names[2 * count : 2 * count + 2]
    pushed = push_text(parent, operands, tangents, out)
    rule = f"the rule of {name}, {out_tangent} = {pushed}" if pushed else f"the rule of {name}"
    if tangent:
        return f"jvp of {name}: a step of {rule}."
    return f"jvp of {name}: a derivative at this point, for {rule}."


def known_rule(residual: Sequence[str]) -> str:
    """Why an equation runs now."""
    if residual:
        those = " and ".join(residual)
        verb = "is a residual" if len(residual) == 1 else "are residuals"
        return f"It reads no tangent, so it runs now; {those} {verb}: the linear part reads it."
    return "It reads no tangent, so it runs now."


def unknown_rule(eqn: Eqn, fixed: Sequence[str]) -> str:
    """Why an equation waits for a tangent."""
    if fixed:
        those = " and ".join(dict.fromkeys(fixed))
        verb = "is" if len(set(fixed)) == 1 else "are"
        return f"It reads a tangent, so it waits; {those} {verb} fixed, so it is linear."
    return f"It reads tangents only, so it waits; {eqn.primitive.name} is linear."


def transpose_rule(eqn: Eqn, parent: Eqn | None, parent_text: str, fixed: Sequence[str]) -> str:
    """How an equation of the transposed program follows from one of the linear program."""
    if eqn.primitive.name == "add_any" and (parent is None or parent.primitive.name != "add_any"):
        return "This value is read more than once, so the cotangents from its uses are added."
    if parent is None:
        return ""
    name = parent.primitive.name
    text = _TRANSPOSES.get(name, "the cotangent of its result goes back to its operands")
    by = f" by {fixed[0]}" if fixed and name in ("mul", "div") else ""
    told = text.format(k=fixed[0] if fixed else "its other operand")
    return f"Transpose of {name}{by}: {parent_text} is read backwards; {told}."


def vmap_rule(eqn: Eqn, parent: Eqn | None, *, batched: bool) -> str:
    """How an equation for all examples follows from the one for a single example."""
    if parent is None:
        return "It brings the new axis to where the next equation wants it."
    name, own = parent.primitive.name, eqn.primitive.name
    if not batched:
        return f"{own} reads no mapped argument: it is computed once for all examples."
    if own != name:
        return f"Batching of {name}: {own} brings the axes of its operands together."
    if name.startswith(("reduce_", "arg", "cum", "sort")):
        told = "it goes over the same axes of each example; the new one stays"
    else:
        told = _BATCHED.get(name, "it works entry by entry, so the new axis goes along")
        if not eqn.primitive.first_order and name not in _BATCHED:
            told = "the program inside is batched in its turn"
    return f"Batching of {name}: {told}."
