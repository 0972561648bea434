"""Answers to the exercises of 09: for each a right one, and wrong ones by what is said of them."""

ANSWERS = {
    "pair_quotient": (
        """
def pair_quotient(x, y):
    (a, da), (b, db) = x, y
    q = a / b
    return q, (da - q * db) / b
""",
        {
            "a quotient has a minus": """
def pair_quotient(x, y):
    (a, da), (b, db) = x, y
    return a / b, (da * b + a * db) / b**2
""",
            "not differentiated part by part": """
def pair_quotient(x, y):
    (a, da), (b, db) = x, y
    return a / b, da / db
""",
            "the term with b' is missing": """
def pair_quotient(x, y):
    (a, da), (b, db) = x, y
    return a / b, da / b
""",
            "the square of b is missing": """
def pair_quotient(x, y):
    (a, da), (b, db) = x, y
    return a / b, (da * b - a * db) / b
""",
            "in the answer[1] the sign is wrong": """
def pair_quotient(x, y):
    (a, da), (b, db) = x, y
    return a / b, (a * db - da * b) / b**2
""",
        },
    ),
    "pull_softmax": (
        """
def pull_softmax(y, g):
    J = np.diag(y) - np.outer(y, y)
    return J.T @ g
""",
        {
            "the term -y·Σ gᵢyᵢ is missing": "lambda y, g: y * g",
            "the term -y·Σ gᵢyᵢ has the wrong sign": "lambda y, g: y * (g + np.sum(g * y))",
            "softmax mixes all entries": "lambda y, g: y * (1 - y) * g",
            "the sum runs over g alone": "lambda y, g: y * (g - g.sum())",
            "the factor y is missing": "lambda y, g: g - g @ y",
            "the sign is wrong": "lambda y, g: y * (np.sum(g * y) - g)",
            "the shape is (4, 4), and (4,) is wanted": "lambda y, g: np.diag(y) - np.outer(y, y)",
        },
    ),
    "backward": (
        """
def backward(tape):
    bar = [0.0] * (len(tape) - 1) + [1.0]
    for k in range(len(tape) - 1, -1, -1):
        for parent, slope in tape[k]:
            bar[parent] += bar[k] * slope
    return bar
""",
        {
            "at a fan-out they are added": """
def backward(tape):
    bar = [0.0] * (len(tape) - 1) + [1.0]
    for k in range(len(tape) - 1, -1, -1):
        for parent, slope in tape[k]:
            bar[parent] = bar[k] * slope
    return bar
""",
            "walked from its start": """
def backward(tape):
    bar = [0.0] * (len(tape) - 1) + [1.0]
    for k in range(len(tape)):
        for parent, slope in tape[k]:
            bar[parent] += bar[k] * slope
    return bar
""",
            "without the cotangent that came in": """
def backward(tape):
    bar = [0.0] * (len(tape) - 1) + [1.0]
    for k in range(len(tape) - 1, -1, -1):
        for parent, slope in tape[k]:
            bar[parent] += slope
    return bar
""",
            "the tape's reversed order": """
def backward(tape):
    bar = [0.0] * (len(tape) - 1) + [1.0]
    for k in range(len(tape) - 1, -1, -1):
        for parent, slope in tape[k]:
            bar[parent] += bar[k] * slope
    return bar[::-1]
""",
            "it raises IndexError": "def backward(tape):\n    return tape[len(tape)]",
        },
    ),
    "second_order_product": (
        """
def second_order_product(x, y):
    (a, a1, a2), (b, b1, b2) = x, y
    return a * b, a1 * b + a * b1, a2 * b + a1 * b1 + a1 * b1 + a * b2
""",
        {
            "the term 2a'b' is missing": """
def second_order_product(x, y):
    (a, a1, a2), (b, b1, b2) = x, y
    return a * b, a1 * b + a * b1, a2 * b + a * b2
""",
            "a'b' comes twice, not once": """
def second_order_product(x, y):
    (a, a1, a2), (b, b1, b2) = x, y
    return a * b, a1 * b + a * b1, a2 * b + a1 * b1 + a * b2
""",
            "that is no rule": "lambda x, y: tuple(a * b for a, b in zip(x, y))",
            "the answer has 2 parts, and 3 are wanted": """
def second_order_product(x, y):
    return x[0] * y[0], x[1] * y[0] + x[0] * y[1]
""",
        },
    ),
    "taylor_product": (
        """
def taylor_product(p, q):
    return [sum(p[i] * q[k - i] for i in range(k + 1)) for k in range(len(p))]
""",
        {
            "coefficient by coefficient": "lambda p, q: p * q",
            "have to be cut off": "lambda p, q: np.convolve(p, q)",
            "no binomials are needed": """
from math import comb
def taylor_product(p, q):
    return [sum(comb(k, i) * p[i] * q[k - i] for i in range(k + 1)) for k in range(len(p))]
""",
            "1 of 4 entries are right": """
def taylor_product(p, q):
    return [sum(p[i] * q[k - i] for i in range(max(k, 1))) for k in range(len(p))]
""",
        },
    ),
}
