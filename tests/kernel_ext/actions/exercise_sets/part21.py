"""Answers to the exercises of 21: for each a right one, and wrong ones by what is said of them."""

PRICE = """
import itertools

def price(edges, v):
    return sum(b == v for a, b in edges) * sum(a == v for a, b in edges)

def total(edges, order):
    edges, sum_ = set(edges), 0
    for v in order:
        sum_ += price(edges, v)
        into = [a for a, b in edges if b == v]
        out = [b for a, b in edges if a == v]
        edges = {e for e in edges if v not in e} | {(a, b) for a in into for b in out}
    return sum_

def middle(edges):
    return {a for a, _ in edges} & {b for _, b in edges}
"""

ANSWERS = {
    "elimination_price": (
        """
def elimination_price(edges, v):
    return len([a for a, b in edges if b == v]) * len([b for a, b in edges if a == v])
""",
        {
            "the sum of the edges": (
                "elimination_price = lambda edges, v: sum(v in edge for edge in edges)"
            ),
            "the edges into v only": (
                "elimination_price = lambda edges, v: sum(b == v for a, b in edges)"
            ),
            "the edges out of v only": (
                "elimination_price = lambda edges, v: sum(a == v for a, b in edges)"
            ),
        },
    ),
    "order_price": (
        PRICE + "order_price = total",
        {
            "it changes as you go": (
                PRICE + "order_price = lambda edges, order: sum(price(edges, v) for v in order)"
            ),
            "taken from its end": (
                PRICE + "order_price = lambda edges, order: total(edges, order[::-1])"
            ),
            "the last elimination only": (
                PRICE + "order_price = lambda edges, o: total(edges, o) - total(edges, o[:-1])"
            ),
        },
    ),
    "cheapest_price": (
        PRICE
        + """
def cheapest_price(edges):
    return min(total(edges, order) for order in itertools.permutations(middle(edges)))
""",
        {
            "the greedy rule": PRICE
            + """
def cheapest_price(edges):
    order, left, edges_ = [], middle(edges), edges
    while left:
        spent = total(edges, order)
        v = min(sorted(left), key=lambda v: total(edges, order + [v]) - spent)
        order.append(v)
        left.remove(v)
    return total(edges, order)
""",
            "the dearest order": PRICE
            + """
def cheapest_price(edges):
    return max(total(edges, order) for order in itertools.permutations(middle(edges)))
""",
            "the price of one order": (
                PRICE + "cheapest_price = lambda edges: total(edges, sorted(middle(edges)))"
            ),
        },
    ),
}
