"""Answers to the exercises of 22: for each a right one, and wrong ones by what is said of them."""

JET = """
import math
from adlib.experimental.jet import jet
"""

STEP = (
    JET
    + """
def coefficients(f, y, order):
    known = [f(y)]
    while len(known) < order:
        slopes = jet(f, (y,), (known,), factorial_scaled=False)[1]
        known.append(slopes[-1] / (len(known) + 1))
    return known[:order]

def step(f, y, h, order):
    for k, c in enumerate(coefficients(f, y, order), 1):
        y = y + c * h**k
    return y
"""
)

ANSWERS = {
    "polynomial_value": (
        JET
        + """
def polynomial_value(derivatives, h):
    total = 0.0
    for k in reversed(range(len(derivatives))):
        total = derivatives[k] + total * h / (k + 1)
    return total
""",
        {
            "a coefficient is the derivative over": (
                "lambda derivatives, h: sum(d * h**k for k, d in enumerate(derivatives))"
            ),
            "the orders begin with 1 here": JET
            + """
def polynomial_value(derivatives, h):
    return sum(d * h**k / math.factorial(k) for k, d in enumerate(derivatives, 1))
""",
            "k is not k!": ("lambda ds, h: sum(d * h**k / max(k, 1) for k, d in enumerate(ds))"),
        },
    ),
    "series_exp": (
        """
def series_exp(x):
    y = [jnp.exp(x[0])]
    for k in range(1, len(x)):
        y.append(sum(j * x[j] * y[k - j] for j in range(1, k + 1)) / k)
    return jnp.array(y)
""",
        {
            "exp of each coefficient": "series_exp = lambda x: jnp.exp(x)",
            "the factor j is missing": """
def series_exp(x):
    y = [jnp.exp(x[0])]
    for k in range(1, len(x)):
        y.append(sum(x[j] * y[k - j] for j in range(1, k + 1)))
    return jnp.array(y)
""",
            "the division by k is missing": """
def series_exp(x):
    y = [jnp.exp(x[0])]
    for k in range(1, len(x)):
        y.append(sum(j * x[j] * y[k - j] for j in range(1, k + 1)))
    return jnp.array(y)
""",
            "these are derivatives": JET
            + """
def series_exp(x):
    n = len(x) - 1
    if n == 0:
        return jnp.exp(x)
    d = jet(jnp.exp, (x[0],), ([x[k] * math.factorial(k) for k in range(1, n + 1)],))
    return jnp.array([d[0], *d[1]])
""",
        },
    ),
    "taylor_step": (
        STEP + "taylor_step = step",
        {
            "Euler's step": "taylor_step = lambda f, y, h, order: y + h * f(y)",
            "this is the change": STEP
            + "taylor_step = lambda f, y, h, order: step(f, y, h, order) - y",
            "one order too low": STEP
            + "taylor_step = lambda f, y, h, order: step(f, y, h, order - 1)",
            "one order too high": STEP
            + "taylor_step = lambda f, y, h, order: step(f, y, h, order + 1)",
        },
    ),
}
