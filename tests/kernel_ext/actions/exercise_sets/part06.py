"""Answers to the exercises of 06: for each a right one, and wrong ones by what is said of them."""

ANSWERS = {
    "stable_softplus": (
        """
@custom_jvp
def stable_softplus(x):
    return jnp.logaddexp(x, 0.0)

@stable_softplus.defjvp
def rule(primals, tangents):
    (x,), (t,) = primals, tangents
    return stable_softplus(x), t / (1 + jnp.exp(-x))
""",
        {
            "there are infinite entries at x = 100.0": (
                "stable_softplus = lambda x: jnp.log(1 + jnp.exp(x))"
            ),
            "not the derivative: ": """
def stable_softplus(x):
    return jnp.maximum(x, 0.0) + jnp.log1p(jnp.exp(-jnp.abs(x))) + 0.0 * jnp.sqrt(jnp.abs(x))
""",
            "not the derivative: the sign is wrong": """
@custom_jvp
def stable_softplus(x):
    return jnp.logaddexp(x, 0.0)
stable_softplus.defjvps(lambda t, ans, x: -t / (1 + jnp.exp(-x)))
""",
            "right at 3 of 6 points": "stable_softplus = lambda x: jnp.log1p(jnp.exp(-jnp.abs(x)))",
        },
    ),
    "scale_cotangent": (
        """
@custom_vjp
def scale_cotangent(x, factor):
    return x

def fwd(x, factor):
    return x, factor

def bwd(factor, x_bar):
    return factor * x_bar, None

scale_cotangent.defvjp(fwd, bwd)
""",
        {
            "the cotangent comes through unchanged": "scale_cotangent = lambda x, factor: x",
            "the value is scaled, too": "scale_cotangent = lambda x, factor: factor * x",
            "the sign of the cotangent is wrong": """
@custom_vjp
def scale_cotangent(x, factor):
    return x
scale_cotangent.defvjp(lambda x, a: (x, a), lambda a, u: (-a * u, None))
""",
            "divided by the factor": """
@custom_vjp
def scale_cotangent(x, factor):
    return x
scale_cotangent.defvjp(lambda x, a: (x, a), lambda a, u: (u / a, None))
""",
            "not factor times what came in": """
@custom_vjp
def scale_cotangent(x, factor):
    return x
scale_cotangent.defvjp(lambda x, a: (x, a), lambda a, u: (a + u, None))
""",
        },
    ),
    "solution_slope": (
        """
def solution_slope(F, a, x):
    return grad(F)(a, x) / (1 - grad(F, 1)(a, x))
""",
        {
            "this is ∂F/∂a alone": "solution_slope = lambda F, a, x: grad(F)(a, x)",
            "sign in the denominator": "lambda F, a, x: grad(F)(a, x) / (1 + grad(F, 1)(a, x))",
            "ought to be divided": "lambda F, a, x: grad(F)(a, x) * (1 - grad(F, 1)(a, x))",
            "for an equation F = 0": "lambda F, a, x: -grad(F)(a, x) / grad(F, 1)(a, x)",
            "the sign is wrong": "lambda F, a, x: grad(F)(a, x) / (grad(F, 1)(a, x) - 1)",
        },
    ),
    "lambert": (
        """
@custom_jvp
def lambert(a):
    start = jnp.log1p(a)
    step = lambda _, w: w - (w - a * jnp.exp(-w)) / (1 + w)
    return lax.fori_loop(0, 30, step, start)

@lambert.defjvp
def lambert_jvp(primals, tangents):
    (a,), (a_dot,) = primals, tangents
    w = lambert(a)
    return w, a_dot * w / (a * (1 + w))
""",
        {
            "log(1 + a), where Newton's method starts": "lambert = lambda a: jnp.log1p(a)",
            "not the derivative: the sign is wrong": """
@custom_jvp
def lambert(a):
    step = lambda _, w: w - (w - a * jnp.exp(-w)) / (1 + w)
    return lax.fori_loop(0, 30, step, jnp.log1p(a))
lambert.defjvps(lambda t, w, a: -t / (jnp.exp(w) * (1 + w)))
""",
            "not the derivative: it raises ValueError": """
def lambert(a):
    step = lambda s: (s[0] - (s[0] - a * jnp.exp(-s[0])) / (1 + s[0]), s[1] + 1)
    return lax.while_loop(lambda s: s[1] < 30, step, (jnp.log1p(a), 0))[0]
""",
            "but the derivative of the derivative is not: at 0.5 it is 0.0": """
@custom_jvp
def lambert(a):
    step = lambda _, w: w - (w - a * jnp.exp(-w)) / (1 + w)
    return lax.fori_loop(0, 30, step, jnp.log1p(a))
lambert.defjvps(lambda t, w, a: t * lax.stop_gradient(w / (a * (1 + w))))
""",
        },
    ),
}
