"""Pytrees, on optree, in adlib's own registry namespace.

Leaves are everything that is not a list, tuple, dict, namedtuple, None, deque,
OrderedDict, defaultdict or a registered class. None is an empty node.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import optree

NAMESPACE = "adlib"
PyTreeDef = optree.PyTreeSpec


def flatten(tree: Any, is_leaf: Callable[[Any], bool] | None = None) -> tuple[list[Any], PyTreeDef]:
    """Leaves in order, and the structure; dictionaries go in and come out by sorted key."""
    leaves, treedef = optree.tree_flatten(tree, is_leaf, namespace=NAMESPACE)
    return leaves, _in_sorted_order(treedef)


# Structures of dictionaries that differ in the order of insertion are equal, so this also
# gives all of them the one that is sorted.
_sorted: dict[PyTreeDef, PyTreeDef] = {}


def _in_sorted_order(treedef: PyTreeDef) -> PyTreeDef:
    try:
        found = _sorted.get(treedef)
    except TypeError:  # a registered class with data that cannot be hashed
        return treedef
    if found is None:
        if len(_sorted) > 4096:
            _sorted.clear()
        found = _sorted[treedef] = optree.treespec_transform(treedef, _sort_dict)
    return found


def _sort_dict(node: PyTreeDef) -> PyTreeDef:
    if node.type is not dict:
        return node
    pairs = dict(zip(node.entries(), node.children(), strict=True))
    try:
        return optree.treespec_dict({k: pairs[k] for k in sorted(pairs)}, namespace=NAMESPACE)
    except TypeError:  # keys that have no order
        return node


def leaves(tree: Any, is_leaf: Callable[[Any], bool] | None = None) -> list[Any]:
    return optree.tree_leaves(tree, is_leaf, namespace=NAMESPACE)


def structure(tree: Any, is_leaf: Callable[[Any], bool] | None = None) -> PyTreeDef:
    return _in_sorted_order(optree.tree_structure(tree, is_leaf, namespace=NAMESPACE))


def unflatten(treedef: PyTreeDef, leaves: Iterable[Any]) -> Any:
    return optree.tree_unflatten(treedef, leaves)


def map(  # the field's name for it
    function: Callable[..., Any],
    tree: Any,
    *rests: Any,
    is_leaf: Callable[[Any], bool] | None = None,
) -> Any:
    first, treedef = flatten(tree, is_leaf)
    others = [treedef.flatten_up_to(rest) for rest in rests]
    results = [function(*values) for values in zip(first, *others, strict=True)]
    return optree.tree_unflatten(treedef, results)


def paths(tree: Any, is_leaf: Callable[[Any], bool] | None = None) -> list[tuple[Any, ...]]:
    """The access path of every leaf, in order."""
    return optree.tree_paths(tree, is_leaf, namespace=NAMESPACE)


def prefix_leaves(
    prefix: Any, tree: Any, is_leaf: Callable[[Any], bool] | None = None
) -> list[Any]:
    """Leaves of ``prefix`` repeated so that there is one for every leaf of ``tree``.

    Raises ValueError where ``prefix`` is not a tree prefix of ``tree``.
    """
    return optree.broadcast_prefix(prefix, tree, is_leaf, namespace=NAMESPACE)


def register_static(cls: type) -> type:
    """Make instances of ``cls`` part of a tree's structure instead of leaves."""
    optree.register_pytree_node(
        cls, lambda value: ((), value), lambda value, _: value, namespace=NAMESPACE
    )
    return cls
