"""Answers to the exercises of 01: for each a right one, and wrong ones by what is said of them."""

ANSWERS = {
    "logistic_slope": (
        "logistic_slope = grad(lambda z: 1 / (1 + jnp.exp(-z)))",
        {
            "The sign is wrong": """
def logistic_slope(z):
    s = 1 / (1 + jnp.exp(-z))
    return s * (s - 1)
""",
            "The factor 1 - σ(z) is missing": "lambda z: 1 / (1 + jnp.exp(-z))",
            "The factor σ(z) is missing": "lambda z: 1 - 1 / (1 + jnp.exp(-z))",
            "1 - σ² where σ - σ² belongs": "lambda z: 1 - (1 / (1 + jnp.exp(-z)))**2",
            "not the derivative": "lambda z: float(np.exp(-z) / (1 + np.exp(-z))**2)",
        },
    ),
    "mse_gradient": (
        """
def mse_gradient(params, X, y):
    e = X @ params["w"] + params["b"] - y
    return {"b": 2 * e.mean(), "w": 2 * X.T @ e / len(y)}
""",
        {
            "the gradient of the sum of squares": """
def mse_gradient(params, X, y):
    e = X @ params["w"] + params["b"] - y
    return {"b": 2 * e.sum(), "w": 2 * X.T @ e}
""",
            "a square brings a factor 2": """
def mse_gradient(params, X, y):
    e = X @ params["w"] + params["b"] - y
    return {"b": e.mean(), "w": X.T @ e / len(y)}
""",
            "with the wrong sign": """
def mse_gradient(params, X, y):
    e = y - X @ params["w"] - params["b"]
    return {"b": 2 * e.mean(), "w": 2 * X.T @ e / len(y)}
""",
            "the key 'b' is missing": """
def mse_gradient(params, X, y):
    e = X @ params["w"] + params["b"] - y
    return {"w": 2 * X.T @ e / len(y)}
""",
            "In the answer['w'] the shape is (7,), and (3,) is wanted": """
def mse_gradient(params, X, y):
    e = X @ params["w"] + params["b"] - y
    return {"b": 2 * e.mean(), "w": 2 * e / len(y)}
""",
        },
    ),
    "safe_norm": (
        """
def safe_norm(x):
    sq = x @ x
    return jnp.where(sq > 0, jnp.sqrt(jnp.where(sq > 0, sq, 1.0)), 0.0)
""",
        {
            "not the derivative: there are NaN entries at x = [0.0, 0.0]": (
                "safe_norm = lambda x: jnp.sqrt(x @ x)"
            ),
            "not the derivative: there are NaN entries": (
                "safe_norm = lambda x: jnp.where(x @ x > 0, jnp.sqrt(x @ x), 0.0)"
            ),
            "the square of the norm": "safe_norm = lambda x: x @ x",
            "right at 3 of 4 points": "safe_norm = lambda x: jnp.sqrt(x @ x + 1e-6)",
            "not the derivative: it raises TracerArrayConversionError": (
                "safe_norm = lambda x: jnp.asarray(np.linalg.norm(x)) + 0 * x[0]"
            ),
        },
    ),
    "quantise": (
        "quantise = lambda x, step: x + lax.stop_gradient(step * jnp.round(x / step) - x)",
        {
            "not the derivative: it gives 0.0": "lambda x, step: step * jnp.round(x / step)",
            "the value has to be rounded": "lambda x, step: x",
            "multiples of step are wanted": "lambda x, step: jnp.round(x)",
            "not multiplied by step again": "lambda x, step: jnp.round(x / step)",
            "The values are right, but not the derivative": (
                "lambda x, step: lax.stop_gradient(x + step * jnp.round(x / step) - x)"
            ),
        },
    ),
    "rate_slope": (
        """
def rate_slope(f, x, rate):
    return -grad(f)(x - rate * grad(f)(x)) @ grad(f)(x)
""",
        {
            "The sign is wrong": ("lambda f, x, rate: grad(f)(x - rate * grad(f)(x)) @ grad(f)(x)"),
            "taken at the old point": "lambda f, x, rate: -grad(f)(x) @ grad(f)(x)",
            "this is the loss after the step": "lambda f, x, rate: f(x - rate * grad(f)(x))",
            "the slope with respect to x": (
                "lambda f, x, rate: grad(lambda p: f(p - rate * grad(f)(p)))(x)"
            ),
        },
    ),
}
