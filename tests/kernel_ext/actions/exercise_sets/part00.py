"""Answers to the exercises of 00: for each a right one, and wrong ones by what is said of them."""

ANSWERS = {
    "bump_slope": (
        "bump_slope = grad(lambda x: x**2 * jnp.exp(-x))",
        {
            "The sign is wrong": "bump_slope = lambda x: (x**2 - 2 * x) * np.exp(-x)",
            "The term -x²·e⁻ˣ is missing": "def bump_slope(x):\n    return 2 * x * jnp.exp(-x)",
            "The term -x²·e⁻ˣ has the wrong sign": (
                "bump_slope = lambda x: (2 * x + x**2) * np.exp(-x)"
            ),
            "the function itself, not its derivative": "lambda x: x**2 * jnp.exp(-x)",
            "(uv)' is not u'v'": "lambda x: 2 * x * -jnp.exp(-x)",
            "It is too small by the factor 2": "lambda x: (x - x**2 / 2) * jnp.exp(-x)",
        },
    ),
    "per_speed": (
        """
def distance(phi, v=12.0, h=1.8, g=9.81):
    up = v * jnp.sin(phi)
    return v * jnp.cos(phi) / g * (up + jnp.sqrt(up**2 + 2 * g * h))
per_speed = grad(lambda v: distance(0.7, v=v))
""",
        {
            "with respect to the angle": """
def distance(phi, v=12.0, h=1.8, g=9.81):
    up = v * jnp.sin(phi)
    return v * jnp.cos(phi) / g * (up + jnp.sqrt(up**2 + 2 * g * h))
per_speed = lambda v: grad(distance)(0.7, v)
""",
            "this is the distance itself": """
def per_speed(v):
    up = v * jnp.sin(0.7)
    return v * jnp.cos(0.7) / 9.81 * (up + jnp.sqrt(up**2 + 2 * 9.81 * 1.8))
""",
            "A mean slope from 0 to v": """
def per_speed(v):
    up = v * jnp.sin(0.7)
    return jnp.cos(0.7) / 9.81 * (up + jnp.sqrt(up**2 + 2 * 9.81 * 1.8))
""",
            "missing 1 required positional argument": "lambda v, h: v",
        },
    ),
    "newton_step": (
        "def newton_step(f, x):\n    return x - grad(f)(x) / grad(grad(f))(x)",
        {
            "looks for a zero of f itself": "lambda f, x: x - f(x) / grad(f)(x)",
            "plus where a minus belongs": "lambda f, x: x + grad(f)(x) / grad(grad(f))(x)",
            "the step alone": "lambda f, x: -grad(f)(x) / grad(grad(f))(x)",
            "have changed places": "lambda f, x: x - grad(grad(f))(x) / grad(f)(x)",
            "divide by the curvature": "lambda f, x: x - grad(f)(x)",
        },
    ),
    "curvatures": (
        "curvatures = lambda f, xs: jnp.diag(hessian(lambda x: jnp.sum(vmap(f)(x)))(xs))",
        {
            "these are the slopes": "lambda f, xs: vmap(grad(f))(xs)",
            "not differentiated": "lambda f, xs: f(xs)",
            "The shape is (6, 6), and (6,) is wanted": (
                "lambda f, xs: hessian(lambda x: jnp.sum(vmap(f)(x)))(xs)"
            ),
            "Gradient only defined for scalar-output functions": "lambda f, xs: grad(grad(f))(xs)",
        },
    ),
}
