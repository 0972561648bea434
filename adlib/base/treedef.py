"""Structures of pytrees and paths into them, in the form that users see.

``PyTreeDef`` wraps optree's structure to print it the way the field does; the key classes
name one step from a container to a child.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import optree

from adlib.base.tree import NAMESPACE


@dataclasses.dataclass(frozen=True)
class DictKey:
    """Step into a dictionary: ``['a']``.

    >>> import adlib
    >>> from adlib.tree_util import DictKey
    >>> DictKey("a"), str(DictKey("a"))
    (DictKey(key='a'), "['a']")
    """

    key: Any

    def __str__(self) -> str:
        return f"[{self.key!r}]"


@dataclasses.dataclass(frozen=True)
class SequenceKey:
    """Step into a list or tuple: ``[0]``.

    >>> import adlib
    >>> from adlib.tree_util import SequenceKey
    >>> SequenceKey(0), str(SequenceKey(0))
    (SequenceKey(idx=0), '[0]')
    """

    idx: int

    def __str__(self) -> str:
        return f"[{self.idx!r}]"


@dataclasses.dataclass(frozen=True)
class GetAttrKey:
    """Step to an attribute: ``.x``.

    >>> import adlib
    >>> from adlib.tree_util import GetAttrKey
    >>> GetAttrKey("x"), str(GetAttrKey("x"))
    (GetAttrKey(name='x'), '.x')
    """

    name: str

    def __str__(self) -> str:
        return f".{self.name}"


@dataclasses.dataclass(frozen=True)
class FlattenedIndexKey:
    """Step to the n-th child of a class that was registered without keys."""

    key: int

    def __str__(self) -> str:
        return f"[<flat index {self.key}>]"


KeyPath = tuple[Any, ...]
KeyEntry = DictKey | SequenceKey | GetAttrKey | FlattenedIndexKey


class PyTreeDef:
    """The structure of a pytree: its containers, with ``*`` in place of each leaf.

    Attributes:
      num_leaves, num_nodes: how many leaves, and nodes with the leaves, it has.

    >>> from adlib import tree_util
    >>> tree_util.tree_structure({"w": 1.0, "b": [2.0, 3.0]})
    PyTreeDef({'b': [*, *], 'w': *})
    """

    __slots__ = ("spec",)

    def __init__(self, spec: optree.PyTreeSpec) -> None:
        self.spec = spec

    @property
    def num_leaves(self) -> int:
        return self.spec.num_leaves

    @property
    def num_nodes(self) -> int:
        return self.spec.num_nodes

    def unflatten(self, leaves: Iterable[Any]) -> Any:
        """The tree of this structure with the given leaves; raises ValueError on a wrong count."""
        leaves = list(leaves)
        if len(leaves) != self.num_leaves:
            many = "few" if len(leaves) < self.num_leaves else "many"
            raise ValueError(
                f"Too {many} leaves for {self}; expected {self.num_leaves}, got {len(leaves)}.\n"
                "  Repair: flatten and unflatten must use the same tree structure."
            )
        return optree.tree_unflatten(self.spec, leaves)

    def flatten_up_to(self, tree: Any) -> list[Any]:
        """Subtrees of ``tree`` at the places of this structure's leaves."""
        return self.spec.flatten_up_to(tree)

    def children(self) -> list[PyTreeDef]:
        """Structures of the direct children."""
        return [PyTreeDef(c) for c in self.spec.children()]

    def compose(self, inner: PyTreeDef) -> PyTreeDef:
        """This structure with ``inner`` in place of every leaf."""
        return PyTreeDef(self.spec.compose(spec_of(inner)))

    def node_data(self) -> tuple[type, Any] | None:
        """(type, keys or other data) of the outermost container; None for a leaf."""
        if self.spec.is_leaf():
            return None
        entries = list(self.spec.entries()) if self.spec.type in _KEYED else None
        return self.spec.type, entries  # type: ignore[return-value]

    def __eq__(self, other: object) -> bool:
        if isinstance(other, optree.PyTreeSpec):
            return self.spec == other
        return isinstance(other, PyTreeDef) and self.spec == other.spec

    def __hash__(self) -> int:
        return hash(self.spec)

    def __repr__(self) -> str:
        return f"PyTreeDef({_text(self.spec)})"


_KEYED = (dict,)


def spec_of(treedef: Any) -> optree.PyTreeSpec:
    """optree's structure, whether wrapped or not."""
    return treedef.spec if isinstance(treedef, PyTreeDef) else treedef


def _text(spec: optree.PyTreeSpec) -> str:
    if spec.is_leaf(strict=True):
        return "*"
    kind = spec.type
    children = [_text(c) for c in spec.children()]
    inner = ", ".join(children)
    if kind is type(None):
        return "None"
    if kind is list:
        return f"[{inner}]"
    if kind is tuple:
        return f"({inner},)" if len(children) == 1 else f"({inner})"
    if kind is dict:
        pairs = zip(spec.entries(), children, strict=True)
        return "{" + ", ".join(f"{k!r}: {c}" for k, c in pairs) + "}"
    return f"CustomNode({_custom_label(spec)}, [{inner}])"


def _custom_label(spec: optree.PyTreeSpec) -> str:
    kind = spec.type
    name = getattr(kind, "__name__", str(kind))
    if kind is not None and issubclass(kind, tuple) and hasattr(kind, "_fields"):
        return f"namedtuple[{name}]"
    if name == "OrderedDict":
        return f"OrderedDict[{tuple(spec.entries())!r}]"
    if name == "defaultdict":
        return f"defaultdict[{tuple(spec.entries())!r}]"
    # the data of a registered class: optree shows it and gives no other access
    whole = repr(spec.one_level())
    start = whole.find(f"({name}[")
    stop = whole.rfind("], [")
    if start < 0 or stop < 0:
        return name
    return whole[start + 1 : stop + 1]


# ------------------------------------------------------------------- one level


def one_level(tree: Any) -> Any:
    """optree's view of the outermost container of ``tree``; None for a leaf."""
    try:
        return optree.tree_flatten_one_level(tree, namespace=NAMESPACE)
    except ValueError:
        if is_node(type(tree)):
            raise  # the user's own flatten function failed
        return None


def is_node(kind: type) -> bool:
    """Whether values of type ``kind`` are containers."""
    if kind in _BUILTIN_NODES or optree.is_namedtuple_class(kind):
        return True
    return optree.register_pytree_node.get(kind, namespace=NAMESPACE) is not None  # type: ignore[attr-defined]


_BUILTIN_NODES = (list, tuple, dict, type(None))


def key_of(node: Any, entry: Any) -> Any:
    """The key object for one of optree's path entries below ``node``."""
    kind = node.path_entry_type
    if node.kind == optree.PyTreeKind.CUSTOM:
        return FlattenedIndexKey(entry) if type(entry) is int else entry
    if issubclass(kind, optree.MappingEntry):
        return DictKey(entry)
    if issubclass(kind, optree.NamedTupleEntry):
        return GetAttrKey(node.type._fields[entry])
    return SequenceKey(entry)


def walk(
    tree: Any, stop: Callable[[KeyPath, Any], bool] | None = None, path: KeyPath = ()
) -> Iterator[tuple[KeyPath, Any]]:
    """(path, leaf) of every leaf in order; ``stop(path, node)`` makes a node count as a leaf."""
    if stop is not None and stop(path, tree):
        yield path, tree
        return
    node = one_level(tree)
    if node is None:
        yield path, tree
        return
    for entry, child in zip(node.entries, node.children, strict=True):
        yield from walk(child, stop, (*path, key_of(node, entry)))


def path_text(path: KeyPath) -> str:
    """``['a'][0].x``."""
    return "".join(str(k) for k in path)


def first_mismatch(tree: Any, other: Any, path: KeyPath = ()) -> tuple[KeyPath, Any, Any] | None:
    """Where ``other`` stops following the containers of ``tree``: (path, node, other's node)."""
    node = one_level(tree)
    if node is None:
        return None
    theirs = one_level(other)
    if (
        theirs is None
        or theirs.type is not node.type
        or len(theirs.children) != len(node.children)
        or _data(theirs) != _data(node)
    ):
        return path, tree, other
    for entry, a, b in zip(node.entries, node.children, theirs.children, strict=True):
        found = first_mismatch(a, b, (*path, key_of(node, entry)))
        if found is not None:
            return found
    return None


def _data(node: Any) -> Any:
    # dictionaries are the same however their keys were inserted
    return set(node.entries) if issubclass(node.type, dict) else node.metadata


def describe_node(tree: Any) -> str:
    """``a list of length 2``, ``a dict with keys 'a', 'b'``, ``a leaf of type int``."""
    node = one_level(tree)
    name = type(tree).__name__
    if tree is None:
        return "None"
    if node is None:
        return f"a leaf of type {name}"
    if isinstance(tree, dict):
        return f"a {name} with keys {', '.join(map(repr, node.entries)) or '(none)'}"
    if isinstance(tree, (list, tuple)):
        return f"a {name} of length {len(node.children)}"
    return f"a {name} node"
