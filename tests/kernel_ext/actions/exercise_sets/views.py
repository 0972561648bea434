"""Answers to the exercises of 10 to 15: for each a right one, and wrong ones by what is said."""

COLOURED = """
def colouring(pattern):
    n = pattern.shape[1]
    colours = []
    for j in range(n):
        taken = [colours[k] for k in range(j) if (pattern[:, j] & pattern[:, k]).any()]
        colours.append(min(c for c in range(n) if c not in taken))
    return colours
"""

GRAPH = {
    "fan_outs": (
        """
def fan_outs(f, x):
    jaxpr = make_jaxpr(f)(x).jaxpr
    read = [v for eqn in jaxpr.eqns for v in eqn.invars] + list(jaxpr.outvars)
    read = [v for v in read if not hasattr(v, "val")]
    return sum(read.count(v) > 1 for v in set(read))
""",
        {
            "the number of equations": "lambda f, x: len(make_jaxpr(f)(x).jaxpr.eqns)",
            "the number of readings": """
def fan_outs(f, x):
    jaxpr = make_jaxpr(f)(x).jaxpr
    read = [v for eqn in jaxpr.eqns for v in eqn.invars] + list(jaxpr.outvars)
    return sum(not hasattr(v, "val") for v in read)
""",
            "it gives 0.0": "lambda f, x: 0",
        },
    ),
    "dead_equations": (
        """
def dead_equations(f, x):
    jaxpr = make_jaxpr(f)(x).jaxpr
    needed, alive = list(jaxpr.outvars), 0
    for eqn in jaxpr.eqns[::-1]:
        if any(v in needed for v in eqn.outvars):
            needed += [v for v in eqn.invars if not hasattr(v, "val")]
            alive += 1
    return len(jaxpr.eqns) - alive
""",
        {
            "what leads to them alone is dead": """
def dead_equations(f, x):
    jaxpr = make_jaxpr(f)(x).jaxpr
    read = [v for eqn in jaxpr.eqns for v in eqn.invars] + list(jaxpr.outvars)
    return sum(not any(v in read for v in eqn.outvars) for eqn in jaxpr.eqns)
""",
            "the living ones": """
def dead_equations(f, x):
    jaxpr = make_jaxpr(f)(x).jaxpr
    needed, alive = list(jaxpr.outvars), 0
    for eqn in jaxpr.eqns[::-1]:
        if any(v in needed for v in eqn.outvars):
            needed += [v for v in eqn.invars if not hasattr(v, "val")]
            alive += 1
    return alive
""",
            "the number of all equations": "lambda f, x: len(make_jaxpr(f)(x).jaxpr.eqns)",
        },
    ),
}

DERIVATION = {
    "residual_count": (
        """
def residual_count(f, x):
    _, push = linearize(f, x)
    return len(make_jaxpr(push)(x).consts)
""",
        {
            "the number of equations of f": "lambda f, x: len(make_jaxpr(f)(x).jaxpr.eqns)",
            "of the linear half": (
                "lambda f, x: len(make_jaxpr(linearize(f, x)[1])(x).jaxpr.eqns)"
            ),
            "it gives 1.0": "lambda f, x: 1",
        },
    ),
    "is_linear": (
        """
def is_linear(g, x):
    u, v = x, x**2 - 3.0
    return bool(jnp.allclose(g(u - 2 * v), g(u) - 2 * g(v), atol=1e-4))
""",
        {
            "g(0) = 0 is not enough": "lambda g, x: bool(jnp.all(g(0 * x) == 0))",
            "doubling is not enough": (
                "lambda g, x: bool(jnp.allclose(g(2 * x), 2 * g(x), atol=1e-4))"
            ),
            "have changed places": """
def is_linear(g, x):
    u, v = x, x**2 - 3.0
    return not bool(jnp.allclose(g(u - 2 * v), g(u) - 2 * g(v), atol=1e-4))
""",
        },
    ),
}

FLOW = {
    "layer_slope": (
        "layer_slope = lambda w, x: grad(lambda x: jnp.tanh(w * x))(x)",
        {
            "a factor w is missing": "lambda w, x: 1 - jnp.tanh(w * x) ** 2",
            "the factor 1 - tanh²(w·x) is missing": "lambda w, x: w",
            "it belongs at w·x": "lambda w, x: w * (1 - jnp.tanh(x) ** 2)",
            "the sign is wrong": "lambda w, x: w * (jnp.tanh(w * x) ** 2 - 1)",
            "the value of the layer": "lambda w, x: jnp.tanh(w * x)",
        },
    ),
    "skip_slope": (
        """
def skip_slope(layer, x, depth):
    def net(x):
        for _ in range(depth):
            x = x + layer(x)
        return x
    return grad(net)(x)
""",
        {
            "the direct way is missing": """
def skip_slope(layer, x, depth):
    slope = 1.0
    for _ in range(depth):
        slope *= grad(layer)(x)
        x = x + layer(x)
    return slope
""",
            "taken at the first x": "lambda layer, x, depth: (1 + grad(layer)(x)) ** depth",
            "along a path they multiply": "lambda layer, x, depth: 1 + depth * grad(layer)(x)",
            "which is not right": """
def skip_slope(layer, x, depth):
    slope = 1.0
    for _ in range(depth):
        x = x + layer(x)
        slope *= 1 + grad(layer)(x)
    return slope
""",
        },
    ),
}

ASSEMBLY = {
    "at_least": (
        "at_least = lambda pattern: pattern.sum(axis=1).max()",
        {
            "the fullest column": "lambda pattern: pattern.sum(axis=0).max()",
            "the price without colours": "lambda pattern: len(pattern)",
            "the number of entries": "lambda pattern: pattern.sum()",
        },
    ),
    "colouring": (
        COLOURED,
        {
            "two columns of one colour share a row": "lambda pattern: [0] * pattern.shape[1]",
            "more colours are used": "lambda pattern: list(range(pattern.shape[1]))",
            "one colour for each column": "lambda pattern: [0]",
            "it raises TypeError": "lambda pattern: 3",
        },
    ),
}

MEMORY = {
    "kept": (
        "2",
        {
            "one is missing": "1",
            "multiplication by a constant is linear": "3",
            "affine operations are free": "4",
            "adding up is linear": "5",
        },
    ),
    "pair_energy": (
        """
def pair_energy(x):
    centred = x - x.mean()
    return 2 * x.size * centred @ centred
""",
        {
            "it builds an array of all pairs: an array of shape (100, 100)": (
                "pair_energy = lambda x: jnp.sum((x[:, None] - x[None, :]) ** 2)"
            ),
            "the term -2(Σx)² is missing": "pair_energy = lambda x: 2 * x.size * x @ x",
            "the term -2(Σx)² has the wrong sign": (
                "pair_energy = lambda x: 2 * x.size * x @ x + 2 * x.sum() ** 2"
            ),
            "too small by the factor 2": ("pair_energy = lambda x: x.size * x @ x - x.sum() ** 2"),
        },
    ),
}

NANS = {
    "log_sum": (
        """
def log_sum(a, b):
    m = lax.stop_gradient(jnp.maximum(a, b))
    return m + jnp.log(jnp.exp(a - m) + jnp.exp(b - m))
""",
        {
            "there are infinite entries at a = 100.0": (
                "log_sum = lambda a, b: jnp.log(jnp.exp(a) + jnp.exp(b))"
            ),
            "the larger of the two": "log_sum = lambda a, b: jnp.maximum(a, b)",
            "the logarithm of the product": "log_sum = lambda a, b: a + b",
            "not the derivative": """
def log_sum(a, b):
    return lax.stop_gradient(jnp.logaddexp(a, b))
""",
        },
    ),
    "safe_divide": (
        """
def safe_divide(n, d):
    return jnp.where(d == 0, 0.0, n / jnp.where(d == 0, 1.0, d))
""",
        {
            "the division still happens there": (
                "safe_divide = lambda n, d: jnp.where(d == 0, 0.0, n / d)"
            ),
            "there are infinite entries at n = 1.0, d = 0.0": (
                "safe_divide = lambda n, d: jnp.asarray(n) / d"
            ),
            "fails at: works under jit": """
def safe_divide(n, d):
    return jnp.asarray(n) / d if d != 0 else jnp.zeros(())
""",
            "right at": "safe_divide = lambda n, d: jnp.asarray(n) / (d + 1e-3)",
        },
    ),
}
