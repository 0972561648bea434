"""Answers to the exercises of 04: for each a right one, and wrong ones by what is said of them."""

ANSWERS = {
    "all_distances": (
        """
def dist(p, q):
    return jnp.sqrt(jnp.sum((p - q) ** 2))
all_distances = vmap(vmap(dist, (None, 0)), (0, None))
""",
        {
            "it is transposed": """
dist = lambda p, q: jnp.sqrt(jnp.sum((p - q) ** 2))
all_distances = vmap(vmap(dist, (0, None)), (None, 0))
""",
            "these are the squares": """
dist = lambda p, q: jnp.sum((p - q) ** 2)
all_distances = vmap(vmap(dist, (None, 0)), (0, None))
""",
            "pairs the first of P with the first of Q": (
                "all_distances = vmap(lambda p, q: jnp.sqrt(jnp.sum((p - q) ** 2)))"
            ),
            "the shape is (), and (4, 4) is wanted": (
                "all_distances = lambda P, Q: jnp.sqrt(jnp.sum((P - Q) ** 2))"
            ),
            "fails at: works under jit. It raises TracerArrayConversionError": (
                "lambda P, Q: np.sqrt(((np.asarray(P)[:, None] - np.asarray(Q)) ** 2).sum(-1))"
            ),
        },
    ),
    "gradient_norms": (
        """
def gradient_norms(loss, w, X, y):
    return vmap(lambda x, y: jnp.linalg.norm(grad(loss)(w, x, y)))(X, y)
""",
        {
            "these are the gradients themselves": (
                "lambda loss, w, X, y: vmap(grad(loss), (None, 0, 0))(w, X, y)"
            ),
            "take norms before averaging": (
                "lambda loss, w, X, y: jnp.linalg.norm("
                "vmap(grad(loss), (None, 0, 0))(w, X, y).mean(0))"
            ),
            "the squares of the norms": (
                "lambda loss, w, X, y: jnp.sum("
                "vmap(grad(loss), (None, 0, 0))(w, X, y) ** 2, axis=1)"
            ),
            "over the examples (axis 0)": (
                "lambda loss, w, X, y: jnp.linalg.norm("
                "vmap(grad(loss), (None, 0, 0))(w, X, y), axis=0)"
            ),
            "it raises ValueError": "lambda loss, w, X, y: vmap(grad(loss))(w, X, y)",
        },
    ),
    "kernel_slopes": (
        """
def kernel_slopes(k, P, Q):
    return jnp.stack([jnp.stack([grad(k)(p, q) for q in Q]) for p in P])
""",
        {
            "with respect to q": (
                "lambda k, P, Q: vmap(vmap(grad(k, 1), (None, 0)), (0, None))(P, Q)"
            ),
            "P makes the rows": "lambda k, P, Q: vmap(vmap(grad(k), (0, None)), (None, 0))(P, Q)",
            "of all q are added up": (
                "lambda k, P, Q: vmap(lambda p: grad("
                "lambda p: jnp.sum(vmap(k, (None, 0))(p, Q)))(p))(P)"
            ),
            "the values of k": "lambda k, P, Q: vmap(vmap(k, (None, 0)), (0, None))(P, Q)",
            "the shape is (3, 2), and (3, 3, 2) is wanted": "lambda k, P, Q: vmap(grad(k))(P, Q)",
        },
    ),
    "hessian_diagonal": (
        "hessian_diagonal = lambda f, x: jnp.diag(hessian(f)(x))",
        {
            "this is the whole Hessian": "lambda f, x: hessian(f)(x)",
            "this is the trace": "lambda f, x: jnp.trace(hessian(f)(x))",
            "H times a vector of ones": "lambda f, x: hessian(f)(x).sum(axis=1)",
            "Gradient only defined for scalar-output": "lambda f, x: grad(grad(f))(x)",
        },
    ),
    "standardise": (
        """
def standardise(x):
    mean = lax.pmean(x, "batch")
    return (x - mean) / jnp.sqrt(lax.pmean(x * x, "batch") - mean**2 + 1e-6)
""",
        {
            "nothing is divided by the spread": 'lambda x: x - lax.pmean(x, "batch")',
            "divided by the variance": """
def standardise(x):
    c = x - lax.pmean(x, "batch")
    return c / (lax.pmean(c * c, "batch") + 1e-6)
""",
            "every example is standardised by itself": (
                "lambda x: (x - x.mean()) / jnp.sqrt(x.var() + 1e-6)"
            ),
            "the mean is not subtracted": """
def standardise(x):
    c = x - lax.pmean(x, "batch")
    return x / jnp.sqrt(lax.pmean(c * c, "batch") + 1e-6)
""",
            "it raises NameError: ": 'lambda x: x - lax.pmean(x, "bacht")',
        },
    ),
}
