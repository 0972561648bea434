"""The mistakes that learners make: each is answered with the class the field knows, the
user's own line, and a repair.
"""

import re
from pathlib import Path

import numpy as np
import pytest

import adlib
import adlib.numpy as jnp
from adlib import errors, grad, jacfwd, jit, jvp, lax, vjp, vmap

HERE = Path(__file__).name
x3 = np.arange(3.0, dtype=np.float32)
stored = []


@adlib.custom_jvp
def no_rule(x):
    return x


@adlib.custom_jvp
def not_linear(x):
    return x


not_linear.defjvp(lambda p, t: (p[0], jnp.sin(t[0])))


@adlib.custom_jvp
def not_a_pair(x):
    return x


not_a_pair.defjvp(lambda p, t: t[0])


@adlib.custom_jvp
def wrong_tangent(x):
    return x


wrong_tangent.defjvp(lambda p, t: (p[0], jnp.stack([t[0], t[0]])))


def with_bwd(bwd):
    @adlib.custom_vjp
    def f(x, y):
        return x * y

    f.defvjp(lambda x, y: (x * y, None), bwd)
    return f


def leak():
    stored.clear()
    grad(lambda x: stored.append(x) or x)(1.0)
    return stored[0] + 1.0


def leak_from_jit():
    stored.clear()
    jit(lambda x: stored.append(x * 2) or x)(1.0)
    return jnp.sin(stored[0])


def assign():
    x = jnp.zeros(3)
    x[0] = 1.0


def assign_traced(x):
    x[0] = 1.0
    return x


def asserting(x):
    assert x > 0
    return x


def looping(x):
    while x < 3:
        x = x + 1
    return x


# name: (mistake, exception, pieces of the message)
MISTAKES = {
    # ---- what can be differentiated
    "int argument of grad": (
        lambda: grad(jnp.sin)(1), TypeError,
        ["requires real- or complex-valued inputs", "int32", "3.0 instead of 3"]),
    "grad of a vector": (
        lambda: grad(lambda x: x * 2)(x3), TypeError,
        ["Gradient only defined for scalar-output functions. Output had shape: (3,)", "jacrev"]),
    "grad of a tuple": (
        lambda: grad(lambda x: (x, x))(1.0), TypeError,
        ["Gradient only defined for scalar-output functions", "has_aux"]),
    "grad of a string": (
        lambda: grad(lambda x: "loss")(1.0), TypeError, ["'loss'", "not a valid JAX type"]),
    "grad with a string argument": (
        lambda: grad(lambda x: 1.0)("abc"), TypeError, ["'abc'", "not a valid JAX type", "Repair"]),
    "grad of an integer result": (
        lambda: grad(lambda x: jnp.int32(x))(1.0), TypeError,
        ["requires real-valued outputs", "int32"]),
    "grad of a complex result": (
        lambda: grad(lambda x: x * 1j)(1.0), TypeError, ["complex64", "holomorphic=True"]),
    "holomorphic of a real": (
        lambda: grad(jnp.sin, holomorphic=True)(1.0), TypeError, ["complex dtype", "float32"]),
    "grad of a value": (
        lambda: grad(jnp.sin(1.0)), TypeError, ["Expected a callable", "grad(f)(x)"]),
    "argnums out of range": (
        lambda: grad(lambda x: x, argnums=1)(1.0), TypeError, ["argument 1", "1 positional"]),
    "argnums is a float": (
        lambda: grad(lambda x: x, argnums=0.5), TypeError, ["argnums must be an int", "0.5"]),
    "has_aux without a pair": (
        lambda: grad(lambda x: x, has_aux=True)(1.0), TypeError, ["has_aux=True", "pair"]),
    "jacfwd of integers": (
        lambda: jacfwd(lambda x: x)(np.arange(3)), TypeError, ["jacfwd requires", "astype"]),
    # ---- jvp and vjp
    "tangent of another dtype": (
        lambda: jvp(jnp.sin, (1.0,), (1,)), TypeError, ["tangent dtype int32", "1.0 instead of 1"]),
    "tangent of another shape": (
        lambda: jvp(jnp.sin, (1.0,), (x3,)), ValueError,
        ["different primal and tangent shapes", "(3,)", "direction"]),
    "tangent structure": (
        lambda: jvp(lambda x, y: x, (1.0, 2.0), (1.0,)), TypeError, ["same tree structure"]),
    "primals not in a tuple": (
        lambda: jvp(jnp.sin, 1.0, 1.0), TypeError,
        ["must be tuples or lists", "jvp(f, (x,), (v,))"]),
    "cotangent of another shape": (
        lambda: vjp(jnp.sin, 1.0)[1](x3), ValueError, ["got float32[3]", "expected float32[]"]),
    "cotangent structure": (
        lambda: vjp(lambda x: (x, x), 1.0)[1](1.0), ValueError, ["tree structure"]),
    # ---- custom rules
    "custom_jvp without a rule": (
        lambda: no_rule(1.0), AttributeError, ["No JVP defined", "defjvp"]),
    "rule that returns no pair": (
        lambda: grad(not_a_pair)(1.0), TypeError, ["must return a pair"]),
    "rule with a wrong tangent": (
        lambda: grad(wrong_tangent)(1.0), TypeError, ["f32[]", "f32[2]"]),
    "rule that is not linear": (
        lambda: grad(not_linear)(1.0), NotImplementedError, ["Transpose rule", "'sin'", "linear"]),
    "bwd returns no tuple": (
        lambda: grad(with_bwd(lambda res, g: g))(1.0, 2.0), TypeError, ["tuple of cotangents"]),
    "bwd returns too few": (
        lambda: grad(with_bwd(lambda res, g: (g,)))(1.0, 2.0), TypeError,
        ["2 arguments, 1 cotangents", "None"]),
    "bwd returns a wrong shape": (
        lambda: grad(with_bwd(lambda res, g: (jnp.stack([g, g]), g)))(1.0, 2.0), ValueError,
        ["argument 0", "f32[2]", "f32[]"]),
    "forward mode of custom_vjp": (
        lambda: jvp(with_bwd(lambda res, g: (g, g)), (1.0, 2.0), (1.0, 1.0)), TypeError,
        ["can't apply forward-mode autodiff (jvp) to a custom_vjp function."]),
    "reverse mode of while_loop": (
        lambda: grad(lambda x: lax.while_loop(lambda v: v < 9, lambda v: v * x, x))(2.0),
        ValueError,
        ["Reverse-mode differentiation does not work for lax.while_loop", "lax.scan"]),
    # ---- traced values in Python
    "if on a traced value": (
        lambda: jit(lambda x: 1 if x > 0 else 2)(1.0), errors.TracerBoolConversionError,
        ["jnp.where", "lax.cond"]),
    "while on a traced value": (
        lambda: jit(looping)(1.0), errors.TracerBoolConversionError, ["lax.while_loop"]),
    "and on a traced value": (
        lambda: jit(lambda x: x > 0 and x < 2)(1.0), errors.TracerBoolConversionError, ["`and`"]),
    "assert on a traced value": (
        lambda: jit(asserting)(1.0), errors.TracerBoolConversionError, ["`assert`"]),
    "if on a traced array": (
        lambda: jit(lambda x: 1 if x > 0 else 2)(x3), errors.TracerBoolConversionError,
        ["jnp.any"]),
    "float of a traced value": (
        lambda: jit(lambda x: float(x))(1.0), errors.ConcretizationTypeError, ["float(...)"]),
    "float within grad": (
        lambda: grad(lambda x: float(x) * x)(1.0), errors.ConcretizationTypeError,
        ["cut the value out", "stop_gradient"]),
    "range of a traced value": (
        lambda: jit(lambda n: [i for i in range(n)])(3), errors.TracerIntegerConversionError,
        ["lax.fori_loop", "static_argnums"]),
    "list indexed by a traced value": (
        lambda: jit(lambda i: [1.0, 2.0][i])(1), errors.TracerIntegerConversionError,
        ["jnp.asarray"]),
    "NumPy function of a traced value": (
        lambda: jit(lambda x: np.sin(x))(1.0), TypeError, ["adlib.numpy"]),
    "asarray of a traced value": (
        lambda: jit(lambda x: np.asarray(x))(1.0), errors.TracerArrayConversionError,
        ["adlib.numpy"]),
    "boolean mask of a traced value": (
        lambda: jit(lambda x: x[x > 0])(x3), errors.NonConcreteBooleanIndexError, ["jnp.where"]),
    "leaked from grad": (leak, errors.UnexpectedTracerError, ["outside of the transformation"]),
    "leaked from jit": (leak_from_jit, errors.UnexpectedTracerError, ["return the value"]),
    # ---- arrays
    "assignment": (assign, TypeError, ["immutable", ".at[idx].set(value)"]),
    "assignment within jit": (lambda: jit(assign_traced)(x3), TypeError, ["immutable", ".at["]),
    "shapes that do not broadcast": (
        lambda: jnp.ones(2) + jnp.ones(3), TypeError, ["incompatible shapes", "(2,)", "(3,)"]),
    "dot of wrong shapes": (
        lambda: jnp.dot(jnp.ones((2, 3)), jnp.ones(2)), TypeError, ["contracting", "(3,)", "(2,)"]),
    "reshape to another size": (
        lambda: jnp.ones(6).reshape(4), TypeError, ["(6,)", "(4,)"]),
    "concatenate of different ranks": (
        lambda: jnp.concatenate([jnp.ones((2, 2)), jnp.ones(2)]), TypeError, ["(2, 2)", "(2,)"]),
    "list given to sum": (
        lambda: jnp.sum([1.0, 2.0]), TypeError, ["got <class 'list'>", "jnp.array"]),
    "list given to sin": (
        lambda: jnp.sin([1.0]), TypeError, ["got <class 'list'>", "jnp.array"]),
    "too many indices": (
        lambda: jnp.ones(3)[0, 0], IndexError, ["Too many indices"]),
    "float index": (lambda: jnp.ones(3)[0.5], TypeError, ["0.5"]),
    "list index": (lambda: jnp.ones(3)[[0, 1]], TypeError, ["jnp.array"]),
    "truth of an array": (
        lambda: bool(jnp.ones(3)), ValueError, ["ambiguous", "jnp.any"]),
    "array as a dictionary key": (lambda: {jnp.ones(3): 1}, TypeError, ["unhashable"]),
    "float of a vector": (lambda: float(jnp.ones(3)), TypeError, ["Only scalar arrays", "(3,)"]),
    # ---- vmap
    "sizes that differ": (
        lambda: vmap(lambda x, y: x + y)(jnp.ones(3), jnp.ones(4)), ValueError,
        ["inconsistent sizes", "size 3: axis 0 of argument x", "size 4: axis 0 of argument y"]),
    "vmap of a scalar": (
        lambda: vmap(lambda x: x)(1.0), ValueError, ["rank should be at least 1", "in_axes=None"]),
    "in_axes of another length": (
        lambda: vmap(lambda x: x, in_axes=(0, 0))(x3), ValueError,
        ["len(in_axes)=2, len(args)=1"]),
    "nothing mapped": (
        lambda: vmap(lambda x: x, in_axes=None)(x3), ValueError, ["at least one non-None"]),
    "mapped result with out_axes None": (
        lambda: vmap(lambda x: x, out_axes=None)(x3), ValueError, ["out_axes is None"]),
    "unbound axis name": (
        lambda: lax.psum(jnp.ones(3), "batch"), NameError, ["unbound axis name: 'batch'", "vmap("]),
    # ---- jit
    "string given to jit": (
        lambda: jit(lambda x: x)("abc"), TypeError, ["'abc'", "static_argnums"]),
    "string returned from jit": (
        lambda: jit(lambda x: "abc")(1.0), TypeError, ["'abc'", "not a valid JAX type"]),
    "unhashable static argument": (
        lambda: jit(lambda x, n: x, static_argnums=1)(1.0, [1]), ValueError,
        ["Non-hashable static arguments", "tuple instead of a list"]),
    "misspelt flag": (
        lambda: adlib.config.update("jax_enable_x46", True), AttributeError,
        ["Did you mean 'jax_enable_x64'?"]),
    # ---- control flow
    "branches of different structure": (
        lambda: lax.cond(True, lambda x: x, lambda x: (x, x), 1.0), TypeError,
        ["same pytree structure"]),
    "vector as a predicate": (
        lambda: lax.cond(jnp.ones(2) > 0, jnp.sin, jnp.cos, 1.0), TypeError,
        ["Pred must be a scalar"]),
    "carry that changes type": (
        lambda: lax.scan(lambda c, x: (jnp.stack([c, c]), x), 0.0, jnp.ones(3)), TypeError,
        ["carry", "f32[2]", "Repair"]),
    "scan without a pair": (
        lambda: lax.scan(lambda c, x: c, 0.0, jnp.ones(3)), TypeError, ["(carry, None)"]),
    "condition that is no boolean": (
        lambda: lax.while_loop(lambda c: c, lambda c: c, 1.0), TypeError, ["boolean scalar"]),
    "loop bounds that are floats": (
        lambda: lax.fori_loop(0.0, 3.0, lambda i, x: x, 1.0), TypeError, ["must be integers"]),
}  # fmt: skip

# Messages made where no line is known, or that Python words itself.
WITHOUT_LINE = {
    "argnums is a float", "truth of an array", "array as a dictionary key", "float of a vector",
    "misspelt flag", "forward mode of custom_vjp", "NumPy function of a traced value",
}  # fmt: skip


def test_the_table_is_as_long_as_promised():
    assert len(MISTAKES) >= 40


@pytest.mark.parametrize("name", MISTAKES)
def test_mistake(name):
    mistake, error, pieces = MISTAKES[name]
    with pytest.raises(error) as caught:
        mistake()
    message = str(caught.value)
    for piece in pieces:
        assert piece in message
    if name not in WITHOUT_LINE:
        assert re.search(rf"at {re.escape(HERE)}:\d+: \S", message), message


def test_the_engine_is_as_it_was_after_all_of_them():
    for mistake, error, _ in MISTAKES.values():
        with pytest.raises(error):
            mistake()
    assert float(grad(lambda x: x**2)(3.0)) == 6.0
