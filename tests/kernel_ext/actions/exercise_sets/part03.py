"""Answers to the exercises of 03: for each a right one, and wrong ones by what is said of them."""

ANSWERS = {
    "push_sine": (
        """
def push_sine(x, y, x_dot, y_dot):
    return jvp(lambda x, y: x * jnp.sin(y), (x, y), (x_dot, y_dot))[1]
""",
        {
            "the term x·cos y·ẏ is missing": ("lambda x, y, x_dot, y_dot: x_dot * jnp.sin(y)"),
            "the term ẋ·sin y is missing": ("lambda x, y, x_dot, y_dot: x * jnp.cos(y) * y_dot"),
            "the term x·cos y·ẏ has the wrong sign": (
                "lambda x, y, x_dot, y_dot: x_dot * jnp.sin(y) - x * jnp.cos(y) * y_dot"
            ),
            "the factor x is missing": (
                "lambda x, y, x_dot, y_dot: x_dot * jnp.sin(y) + jnp.cos(y) * y_dot"
            ),
            "the tangents have changed places": (
                "lambda x, y, x_dot, y_dot: y_dot * jnp.sin(y) + x * jnp.cos(y) * x_dot"
            ),
            "it is not linear in x_dot and y_dot": (
                "lambda x, y, x_dot, y_dot: x_dot * jnp.sin(y) * x * jnp.cos(y) * y_dot"
            ),
        },
    ),
    "pull_matvec": (
        "pull_matvec = lambda W, x, u: vjp(lambda W, x: W @ x, W, x)[1](u)",
        {
            "x̄ is W u": "lambda W, x, u: (jnp.outer(u, x), W @ u)",
            "W̄ is transposed": "lambda W, x, u: (jnp.outer(x, u), W.T @ u)",
            "the two cotangents have changed places": "lambda W, x, u: (W.T @ u, jnp.outer(u, x))",
            "the answer has 1 parts, and 2 are wanted": "lambda W, x, u: (W.T @ u,)",
            "in the answer[1] the sign is wrong": ("lambda W, x, u: (jnp.outer(u, x), -W.T @ u)"),
            "not linear in u": "lambda W, x, u: (jnp.outer(u, x), jnp.abs(W.T @ u))",
        },
    ),
    "pull_chain": (
        """
def pull_chain(functions, x, u):
    def whole(x):
        for f in functions:
            x = f(x)
        return x
    return vjp(whole, x)[1](u)[0]
""",
        {
            "every pullback is taken at x": """
def pull_chain(functions, x, u):
    for f in functions[::-1]:
        u = vjp(f, x)[1](u)[0]
    return u
""",
            "in the order of the functions": """
def pull_chain(functions, x, u):
    for f in functions:
        x, pull = vjp(f, x)
        u = pull(u)[0]
    return u
""",
            "this pushes u forward": """
def pull_chain(functions, x, u):
    for f in functions:
        x, u = jvp(f, (x,), (u,))
    return u
""",
            "it raises ValueError: unexpected tree structure": """
def pull_chain(functions, x, u):
    for f in functions[::-1]:
        u = vjp(f, x)[1](u)
    return u
""",
        },
    ),
    "second_along": (
        "second_along = lambda f, x, v: v @ hessian(f)(x) @ v",
        {
            "the first derivative along v": "lambda f, x, v: jvp(f, (x,), (v,))[1]",
            "this is Hv, a vector": "lambda f, x, v: hessian(f)(x) @ v",
            "this is half of it": "lambda f, x, v: 0.5 * v @ hessian(f)(x) @ v",
            "the square of the first derivative": "lambda f, x, v: (grad(f)(x) @ v) ** 2",
            "the sign is wrong": "lambda f, x, v: -v @ hessian(f)(x) @ v",
        },
    ),
    "normal_product": (
        "normal_product = lambda r, x, w, v: vjp(r, x)[1](w * jvp(r, (x,), (v,))[1])[0]",
        {
            "it builds a matrix: an array of shape": (
                "lambda r, x, w, v: jacrev(r)(x).T @ (w * (jacrev(r)(x) @ v))"
            ),
            "the weights are missing": "lambda r, x, w, v: vjp(r, x)[1](jvp(r, (x,), (v,))[1])[0]",
            "the weights are applied twice": (
                "lambda r, x, w, v: vjp(r, x)[1](w * w * jvp(r, (x,), (v,))[1])[0]"
            ),
            "this is WJv": "lambda r, x, w, v: w * jvp(r, (x,), (v,))[1]",
            "this is JᵀWr": "lambda r, x, w, v: vjp(r, x)[1](w * r(x))[0]",
            "not linear in v": "lambda r, x, w, v: vjp(r, x)[1](w * (r(x + v) - r(x)))[0]",
        },
    ),
}
