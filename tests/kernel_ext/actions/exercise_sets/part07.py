"""Answers to the exercises of 07: for each a right one, and wrong ones by what is said of them."""

CHAIN = """
def rounds(x, n):
    for _ in range(n):
        x = jnp.sin(1.1 * x)
    return x
"""

ANSWERS = {
    "sweeps": (
        "sweeps = lambda n, m: n if n < m else m",
        {
            "the price of forward mode": "lambda n, m: n",
            "the price of reverse mode": "lambda n, m: m",
            "the dearer of the two": "lambda n, m: max(n, m)",
            "not one entry": "lambda n, m: n * m",
        },
    ),
    "smallest_peak": (
        "smallest_peak = lambda n: min(n // k + k for k in range(1, n + 1) if n % k == 0)",
        {
            "this is the best k": (
                "lambda n: min((n // k + k, k) for k in range(1, n + 1) if n % k == 0)[1]"
            ),
            "this is √depth": "lambda n: n ** 0.5",
            "k has to be a divisor": "lambda n: 2 * n ** 0.5",
            "without any checkpoint": "lambda n: n",
        },
    ),
    "thrifty_jacobian": (
        """
def thrifty_jacobian(f, x):
    return jacfwd(f)(x) if x.size < f(x).size else jacrev(f)(x)
""",
        {
            "for 60 inputs and 2 outputs it takes": "thrifty_jacobian = lambda f, x: jacfwd(f)(x)",
            "for 2 inputs and 60 outputs it takes": "thrifty_jacobian = lambda f, x: jacrev(f)(x)",
            "it is transposed": "thrifty_jacobian = lambda f, x: jacrev(f)(x).T",
            "the sum of the rows": "lambda f, x: grad(lambda x: f(x).sum())(x)",
        },
    ),
    "chain_product": (
        """
def chain_product(matrices, v):
    for A in matrices[::-1]:
        v = A @ v
    return v
""",
        {
            "it multiplies matrices with each other": """
def chain_product(matrices, v):
    M = matrices[0]
    for A in matrices[1:]:
        M = M @ A
    return M @ v
""",
            "the last one comes first": """
def chain_product(matrices, v):
    for A in matrices:
        v = A @ v
    return v
""",
            "a pullback, not a pushforward": """
def chain_product(matrices, v):
    for A in matrices:
        v = v @ A
    return v
""",
            "only the last matrix": "chain_product = lambda matrices, v: matrices[-1] @ v",
        },
    ),
    "long_chain": (
        CHAIN
        + """
segment = checkpoint(lambda x: rounds(x, 4))
def long_chain(x):
    for _ in range(16):
        x = segment(x)
    return x.sum()
""",
        {
            "it keeps 64 arrays": CHAIN + "long_chain = lambda x: rounds(x, 64).sum()",
            "128 equations are run again at once": (
                CHAIN + "long_chain = lambda x: checkpoint(lambda x: rounds(x, 64))(x).sum()"
            ),
            "it keeps 32 arrays": CHAIN
            + """
def long_chain(x):
    for _ in range(32):
        x = checkpoint(lambda x: rounds(x, 2))(x)
    return x.sum()
""",
            "their sum is wanted": CHAIN + "long_chain = lambda x: rounds(x, 64)",
            "too small by the factor 1.1": CHAIN + "long_chain = lambda x: rounds(x, 63).sum()",
        },
    ),
}
