"""Exercises of 21, elimination of vertices: the price of one, of an order, of the best order."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from adlib_kernel.actions.exercise_sets.task import Task

Edges = tuple[tuple[str, str], ...]


def _edges(text: str) -> Edges:
    """Edges of two letters each: from, to."""
    return tuple((edge[0], edge[1]) for edge in text.split())


_LENS = _edges("au bu uv vw wp wq ap bq")
_STAR = _edges("am bm cm mp mq")
_WAIST = _edges("ax bx cx xy yz zp zq zr ap cr")
_SHARED = _edges("ax bx bz xz xy yw yv zv vq wp wq")
_TRAP = _edges("xv xw vw vp vq wr")


def _price_of(edges: Edges, v: str) -> int:
    return sum(end == v for _, end in edges) * sum(start == v for start, _ in edges)


def _without(edges: set[tuple[str, str]], v: str) -> set[tuple[str, str]]:
    sources = [start for start, end in edges if end == v]
    targets = [end for start, end in edges if start == v]
    return {edge for edge in edges if v not in edge} | set(itertools.product(sources, targets))


def _price_of_order(edges: Edges, order: Sequence[str]) -> int:
    left, total = set(edges), 0
    for v in order:
        total += _price_of(tuple(left), v)
        left = _without(left, v)
    return total


def _middle(edges: Edges) -> list[str]:
    starts, ends = {start for start, _ in edges}, {end for _, end in edges}
    return sorted(starts & ends)


def _cheapest(edges: Edges) -> int:
    return min(_price_of_order(edges, order) for order in itertools.permutations(_middle(edges)))


def _greedy(edges: Edges) -> int:
    left, total = set(edges), 0
    for _ in _middle(edges):
        now = tuple(left)
        v = min(_middle(now), key=lambda v, now=now: _price_of(now, v))
        total += _price_of(now, v)
        left = _without(left, v)
    return total


def _in_text_order(edges: Edges) -> int:
    return _price_of_order(edges, _middle(edges))


TASKS = (
    Task(
        "elimination_price",
        "warm-up",
        _price_of,
        (
            "Each edge into v is joined with each edge out of it: one multiplication a pair.",
            "Count the edges that end at v, and those that start there.",
            "sum(b == v for a, b in edges) * sum(a == v for a, b in edges)",
        ),
        {
            "points": [(_LENS, "u"), (_LENS, "w"), (_LENS, "v"), (_STAR, "m"), (_SHARED, "y")],
            "mistakes": {
                "this is the sum of the edges at v; each edge in meets each edge out": (
                    lambda edges, v: sum(v in edge for edge in edges)
                ),
                "this counts the edges into v only": (
                    lambda edges, v: sum(end == v for _, end in edges)
                ),
                "this counts the edges out of v only": (
                    lambda edges, v: sum(start == v for start, _ in edges)
                ),
            },
        },
    ),
    Task(
        "order_price",
        "practice",
        _price_of_order,
        (
            "After each elimination the graph is another one: the next price is read from that.",
            "Edges out of v and into v go; from every source of v to every target of v goes an "
            "edge now, if there was none.",
            "Keep the edges as a set, so that an edge that is there already is not counted twice.",
        ),
        {
            "points": [
                (_LENS, "uvw"),
                (_LENS, "wvu"),
                (_LENS, "vuw"),
                (_WAIST, "yxz"),
                (_SHARED, "xyzvw"),
                (_SHARED, "wvzyx"),
            ],
            "mistakes": {
                "these are the prices in the graph as it is at first; it changes as you go": (
                    lambda edges, order: sum(_price_of(edges, v) for v in order)
                ),
                "the order is taken from its end": (
                    lambda edges, order: _price_of_order(edges, order[::-1])
                ),
                "this is the price of the last elimination only": (
                    lambda edges, order: (
                        _price_of_order(edges, order) - _price_of_order(edges, order[:-1])
                    )
                ),
            },
        },
    ),
    Task(
        "cheapest_price",
        "stretch",
        _cheapest,
        (
            "The vertices to eliminate are those with edges in and edges out.",
            "itertools.permutations gives every order; five vertices have 120.",
            "The minimum of exercise 2 over all orders.",
        ),
        {
            "points": [(_LENS,), (_STAR,), (_WAIST,), (_SHARED,), (_TRAP,)],
            "mistakes": {
                "this is the greedy rule's price; it is not always the lowest": _greedy,
                "this is the price of one order; every order has to be tried": _in_text_order,
                "this is the dearest order": lambda edges: max(
                    _price_of_order(edges, order)
                    for order in itertools.permutations(_middle(edges))
                ),
            },
        },
    ),
)
