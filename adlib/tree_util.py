"""Pytrees: nested containers of arrays, flattened, mapped, compared and rebuilt.

Lists, tuples, namedtuples, dicts, OrderedDicts, defaultdicts and None are containers;
classes become containers by registration; everything else is a leaf. Dictionaries are
walked in the order of their sorted keys.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import optree

from adlib.base import tree as base
from adlib.base.registration import (
    Partial,
    register_dataclass,
    register_pytree_node,
    register_pytree_node_class,
    register_pytree_with_keys,
    register_pytree_with_keys_class,
    register_static,
)
from adlib.base.source import here
from adlib.base.treedef import (
    DictKey,
    FlattenedIndexKey,
    GetAttrKey,
    KeyEntry,
    KeyPath,
    PyTreeDef,
    SequenceKey,
    describe_node,
    first_mismatch,
    is_node,
    key_of,
    one_level,
    path_text,
    spec_of,
    walk,
)

__all__ = [
    "DictKey", "FlattenedIndexKey", "GetAttrKey", "KeyEntry", "KeyPath", "Partial", "PyTreeDef",
    "SequenceKey", "all_leaves", "flatten_one_level", "flatten_one_level_with_keys",
    "is_tree_node", "keystr", "register_dataclass", "register_pytree_node",
    "register_pytree_node_class", "register_pytree_with_keys", "register_pytree_with_keys_class",
    "register_static", "tree_all", "tree_broadcast", "tree_flatten", "tree_flatten_with_path",
    "tree_leaves", "tree_leaves_with_path", "tree_map", "tree_map_with_path", "tree_reduce",
    "tree_reduce_associative", "tree_structure", "tree_transpose", "tree_unflatten",
    "treedef_children", "treedef_is_leaf", "treedef_tuple",
]  # fmt: skip

IsLeaf = Callable[..., bool] | None


def tree_flatten(tree: Any, is_leaf: IsLeaf = None) -> tuple[list[Any], PyTreeDef]:
    """The leaves of a tree, in order, and its structure.

    Args:
      tree: any nesting of containers.
      is_leaf: ``is_leaf(node)`` is asked before each node; True keeps it whole.

    >>> from adlib import tree_util
    >>> tree_util.tree_flatten({"b": [1, 2], "a": 3})
    ([3, 1, 2], PyTreeDef({'a': *, 'b': [*, *]}))
    """
    leaves, spec = base.flatten(tree, is_leaf)
    return leaves, PyTreeDef(spec)


def tree_unflatten(treedef: Any, leaves: Iterable[Any]) -> Any:
    """The tree with structure ``treedef`` and the given leaves.

    Raises ValueError where the number of leaves is wrong.

    >>> from adlib import tree_util
    >>> leaves, treedef = tree_util.tree_flatten({"a": 1, "b": (2, 3)})
    >>> tree_util.tree_unflatten(treedef, [10 * x for x in leaves])
    {'a': 10, 'b': (20, 30)}
    """
    return PyTreeDef(spec_of(treedef)).unflatten(leaves)


def tree_leaves(tree: Any, is_leaf: IsLeaf = None) -> list[Any]:
    """The leaves of a tree, in order.

    >>> from adlib import tree_util
    >>> tree_util.tree_leaves({"b": [1, None], "a": 3})
    [3, 1]
    """
    return base.leaves(tree, is_leaf)


def tree_structure(tree: Any, is_leaf: IsLeaf = None) -> PyTreeDef:
    """The structure of a tree.

    >>> from adlib import tree_util
    >>> tree_util.tree_structure({"b": [1, None], "a": 3})
    PyTreeDef({'a': *, 'b': [*, None]})
    """
    return PyTreeDef(base.structure(tree, is_leaf))


def tree_map(f: Callable[..., Any], tree: Any, *rest: Any, is_leaf: IsLeaf = None) -> Any:
    """The tree of ``f(leaf, *rest_leaves)``.

    Args:
      f: function of as many arguments as there are trees.
      tree: gives the structure of the result.
      rest: trees that have at least this structure; below its leaves they may go on, and
        ``f`` is then given the subtree.
      is_leaf: as for ``tree_flatten``.

    Raises ValueError, naming the place, where a tree does not follow the first one.

    >>> from adlib import tree_util
    >>> tree_util.tree_map(lambda x, y: x + y, {"a": 1, "b": [2]}, {"a": 10, "b": [20]})
    {'a': 11, 'b': [22]}
    """
    try:
        return base.map(f, tree, *rest, is_leaf=is_leaf)
    except ValueError:
        _explain_mismatch("tree_map", tree, rest, is_leaf)
        raise


def _explain_mismatch(what: str, tree: Any, rest: Sequence[Any], is_leaf: IsLeaf) -> None:
    """Raise the teaching error where a tree does not follow the first; else return."""
    if is_leaf is not None:  # compare with leaves in place of the nodes that count as such
        leaves, spec = base.flatten(tree, is_leaf)
        tree = base.unflatten(spec, [0] * len(leaves))
    for number, other in enumerate(rest, start=2):
        found = first_mismatch(tree, other)
        if found is not None:
            path, mine, theirs = found
            raise ValueError(
                f"{what}: pytree structures differ at tree{path_text(path)}: the first tree has "
                f"{describe_node(mine)} there, tree number {number} has {describe_node(theirs)}."
                f"{here()}\n  Repair: give trees of the same containers, keys and lengths; "
                "tree_structure(tree) shows each one's."
            ) from None


_NOTHING = object()


def tree_reduce(
    function: Callable[[Any, Any], Any],
    tree: Any,
    initializer: Any = _NOTHING,
    is_leaf: IsLeaf = None,
) -> Any:
    """``functools.reduce`` over the leaves, starting from ``initializer`` where it is given.

    >>> from adlib import tree_util
    >>> tree_util.tree_reduce(lambda total, x: total + x, {"a": 1, "b": [2, 3]})
    6
    """
    start = () if initializer is _NOTHING else (initializer,)
    return functools.reduce(function, tree_leaves(tree, is_leaf), *start)


def tree_reduce_associative(
    operation: Callable[[Any, Any], Any],
    tree: Any,
    *,
    identity: Any = _NOTHING,
    is_leaf: IsLeaf = None,
) -> Any:
    """Combine the leaves with an associative operation, halves first: shallow, not a chain.

    Raises TypeError for a tree without leaves where no ``identity`` is given.

    >>> from adlib import tree_util
    >>> tree_util.tree_reduce_associative(lambda x, y: f"({x}{y})", list("abcd"))
    '((ab)(cd))'
    """

    def combine(items: list[Any]) -> Any:
        if len(items) == 1:
            return items[0]
        half = len(items) // 2
        return operation(combine(items[:half]), combine(items[half:]))

    leaves = tree_leaves(tree, is_leaf)
    if leaves:
        return combine(leaves)
    if identity is _NOTHING:
        raise TypeError(
            "tree_reduce_associative of a tree without leaves has no value.\n"
            "  Repair: pass identity=..., the value for nothing (0 for a sum)."
        )
    return identity


def tree_all(tree: Any, *, is_leaf: IsLeaf = None) -> bool:
    """Whether every leaf is true.

    >>> from adlib import tree_util
    >>> tree_util.tree_all({"a": True, "b": [1, 0]})
    False
    """
    return all(tree_leaves(tree, is_leaf))


def all_leaves(iterable: Iterable[Any], is_leaf: IsLeaf = None) -> bool:
    """Whether every item is a leaf: neither a container nor None.

    >>> from adlib import tree_util
    >>> tree_util.all_leaves([1, 2]), tree_util.all_leaves([1, [2]])
    (True, False)
    """
    return all((is_leaf is not None and is_leaf(x)) or not is_node(type(x)) for x in iterable)


def tree_broadcast(prefix_tree: Any, full_tree: Any, is_leaf: IsLeaf = None) -> Any:
    """``full_tree`` with each leaf replaced by the leaf of ``prefix_tree`` above it.

    Raises ValueError where ``prefix_tree`` is no prefix of ``full_tree``.

    >>> from adlib import tree_util
    >>> tree_util.tree_broadcast([1, 2], [(0, 0), 0])
    [(1, 1), 2]
    """
    try:
        leaves = base.prefix_leaves(prefix_tree, full_tree, is_leaf)
    except ValueError:
        _explain_mismatch("tree_broadcast", prefix_tree, [full_tree], is_leaf)
        raise
    return base.unflatten(base.structure(full_tree, is_leaf), leaves)


def tree_transpose(outer_treedef: Any, inner_treedef: Any, pytree_to_transpose: Any) -> Any:
    """Turn a tree of trees inside out.

    Args:
      outer_treedef: structure of the outer tree.
      inner_treedef: structure of each tree at its leaves; None to take the first one's.
      pytree_to_transpose: tree of ``outer_treedef`` with ``inner_treedef`` at its leaves.

    Raises TypeError where the tree has another structure.

    >>> from adlib import tree_util
    >>> outer, inner = tree_util.tree_structure([0, 0]), tree_util.tree_structure({"a": 0})
    >>> tree_util.tree_transpose(outer, inner, [{"a": 1}, {"a": 2}])
    {'a': [1, 2]}
    """
    outer = spec_of(outer_treedef)
    leaves, spec = base.flatten(pytree_to_transpose)
    inner = spec_of(inner_treedef)
    if inner is None:
        inner = base.structure(outer.flatten_up_to(pytree_to_transpose)[0])
    if leaves and spec.num_leaves != outer.num_leaves * inner.num_leaves:
        raise TypeError(
            f"tree_transpose: the tree has the structure {PyTreeDef(spec)}, wanted is "
            f"{PyTreeDef(outer.compose(inner))}, which is the inner structure at each leaf of the "
            f"outer one.{here()}"
        )
    rows = [leaves[i :: inner.num_leaves] for i in range(inner.num_leaves)]
    return base.unflatten(inner, [base.unflatten(outer, row) for row in rows])


# ----------------------------------------------------------------------- paths


def keystr(keys: KeyPath, *, simple: bool = False, separator: str = "") -> str:
    """A path as text: ``['a'][0].x``, or with ``simple`` the bare keys joined by ``separator``.

    >>> from adlib import tree_util
    >>> [(path, leaf)] = tree_util.tree_leaves_with_path({"a": [5]})
    >>> tree_util.keystr(path), tree_util.keystr(path, simple=True, separator="/")
    ("['a'][0]", 'a/0')
    """
    return separator.join([_bare(k) if simple else str(k) for k in keys])


def _bare(key: Any) -> str:
    for field in ("key", "idx", "name"):
        if hasattr(key, field):
            return str(getattr(key, field))
    return str(key)


def tree_flatten_with_path(
    tree: Any, is_leaf: IsLeaf = None, is_leaf_takes_path: bool = False
) -> tuple[list[tuple[KeyPath, Any]], PyTreeDef]:
    """(path, leaf) of every leaf, and the structure.

    ``is_leaf`` is called as ``is_leaf(path, node)`` where ``is_leaf_takes_path`` is set.

    >>> from adlib import tree_util
    >>> tree_util.tree_flatten_with_path({"a": [5]})[0]
    [((DictKey(key='a'), SequenceKey(idx=0)), 5)]
    """
    decisions: list[bool] = []

    def stop(path: KeyPath, node: Any) -> bool:
        assert is_leaf is not None
        decisions.append(is_leaf(path, node) if is_leaf_takes_path else is_leaf(node))
        return decisions[-1]

    pairs = list(walk(tree, stop if is_leaf is not None else None))
    if is_leaf is None:
        return pairs, tree_structure(tree)
    # the structure is found by a second walk, which meets the nodes in the same order
    answers = iter(decisions)
    return pairs, tree_structure(tree, lambda _: next(answers))


def tree_leaves_with_path(
    tree: Any, is_leaf: IsLeaf = None, is_leaf_takes_path: bool = False
) -> list[tuple[KeyPath, Any]]:
    """(path, leaf) of every leaf, in order.

    >>> from adlib import tree_util
    >>> tree_util.tree_leaves_with_path((7,))
    [((SequenceKey(idx=0),), 7)]
    """
    return tree_flatten_with_path(tree, is_leaf, is_leaf_takes_path)[0]


def tree_map_with_path(
    f: Callable[..., Any],
    tree: Any,
    *rest: Any,
    is_leaf: IsLeaf = None,
    is_leaf_takes_path: bool = False,
) -> Any:
    """``tree_map`` whose function is given the path first: ``f(path, leaf, *rest_leaves)``.

    >>> from adlib import tree_util
    >>> tree_util.tree_map_with_path(lambda p, x: tree_util.keystr(p) + "=" + str(x), {"a": [1]})
    {'a': ["['a'][0]=1"]}
    """
    pairs, treedef = tree_flatten_with_path(tree, is_leaf, is_leaf_takes_path)
    try:
        others = [treedef.flatten_up_to(r) for r in rest]
    except ValueError:
        _explain_mismatch("tree_map_with_path", tree, rest, None if is_leaf_takes_path else is_leaf)
        raise
    return treedef.unflatten(
        [f(path, leaf, *rs) for (path, leaf), *rs in zip(pairs, *others, strict=True)]
    )


# ------------------------------------------------------------------- one level


def flatten_one_level(tree: Any) -> tuple[tuple[Any, ...], Any]:
    """(children, data) of the outermost container; raises ValueError for a leaf.

    >>> from adlib import tree_util
    >>> tree_util.flatten_one_level([1, (2, 3)])[0]
    (1, (2, 3))
    """
    node = _node(tree)
    return tuple(node.children), node.metadata


def flatten_one_level_with_keys(tree: Any) -> tuple[tuple[tuple[Any, Any], ...], Any]:
    """((key, child), …) and data of the outermost container; raises ValueError for a leaf.

    >>> from adlib import tree_util
    >>> tree_util.flatten_one_level_with_keys({"a": [1]})[0]
    ((DictKey(key='a'), [1]),)
    """
    node = _node(tree)
    pairs = zip(node.entries, node.children, strict=True)
    return tuple((key_of(node, entry), child) for entry, child in pairs), node.metadata


def _node(tree: Any) -> Any:
    node = one_level(tree)
    if node is None:
        raise ValueError(f"can't tree-flatten type {type(tree)}: it is a leaf, not a container")
    return node


def is_tree_node(typ: type) -> bool:
    """Whether values of the class ``typ`` are containers.

    >>> from adlib import tree_util
    >>> tree_util.is_tree_node(list), tree_util.is_tree_node(int)
    (True, False)
    """
    return isinstance(typ, type) and is_node(typ)


# -------------------------------------------------------------------- structures


def treedef_children(treedef: Any) -> list[PyTreeDef]:
    """Structures of the direct children.

    >>> from adlib import tree_util
    >>> tree_util.treedef_children(tree_util.tree_structure([1, (2,)]))
    [PyTreeDef(*), PyTreeDef((*,))]
    """
    return PyTreeDef(spec_of(treedef)).children()


def treedef_is_leaf(treedef: Any) -> bool:
    """Whether the structure is a single node: a leaf, None or an empty container.

    >>> from adlib import tree_util
    >>> tree_util.treedef_is_leaf(tree_util.tree_structure(1))
    True
    """
    return bool(spec_of(treedef).num_nodes == 1)


def treedef_tuple(treedefs: Iterable[Any]) -> PyTreeDef:
    """The structure of a tuple of trees of the given structures.

    >>> from adlib import tree_util
    >>> tree_util.treedef_tuple([tree_util.tree_structure(1), tree_util.tree_structure([2])])
    PyTreeDef((*, [*]))
    """
    specs = [spec_of(t) for t in treedefs]
    return PyTreeDef(optree.treespec_tuple(specs, namespace=base.NAMESPACE))
