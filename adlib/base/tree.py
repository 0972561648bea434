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
    leaves, treedef = optree.tree_flatten(tree, is_leaf, namespace=NAMESPACE)
    return leaves, treedef


def leaves(tree: Any, is_leaf: Callable[[Any], bool] | None = None) -> list[Any]:
    return optree.tree_leaves(tree, is_leaf, namespace=NAMESPACE)


def structure(tree: Any, is_leaf: Callable[[Any], bool] | None = None) -> PyTreeDef:
    return optree.tree_structure(tree, is_leaf, namespace=NAMESPACE)


def unflatten(treedef: PyTreeDef, leaves: Iterable[Any]) -> Any:
    return optree.tree_unflatten(treedef, leaves)


def map(  # the field's name for it
    function: Callable[..., Any],
    tree: Any,
    *rests: Any,
    is_leaf: Callable[[Any], bool] | None = None,
) -> Any:
    return optree.tree_map(function, tree, *rests, is_leaf=is_leaf, namespace=NAMESPACE)


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
