"""Classes as pytrees: registration, and ``Partial``, a function that is a container."""

from __future__ import annotations

import dataclasses
import functools
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import optree

from adlib.base.tree import NAMESPACE
from adlib.base.treedef import FlattenedIndexKey, GetAttrKey


def _register(nodetype: type, flatten: Any, unflatten: Any) -> None:
    try:
        with warnings.catch_warnings():
            # a namedtuple class may be registered to be flattened in a way of its own
            warnings.filterwarnings("ignore", ".*already registered in the global namespace")
            optree.register_pytree_node(nodetype, flatten, unflatten, namespace=NAMESPACE)
    except ValueError:
        raise ValueError(
            f"Duplicate custom PyTreeDef type registration for {nodetype}.\n"
            "  Repair: register a class once; in a notebook, run its definition again first."
        ) from None


def register_pytree_node(
    nodetype: type,
    flatten_func: Callable[[Any], tuple[Any, Any]],
    unflatten_func: Callable[[Any, Any], Any],
    flatten_with_keys_func: Callable[[Any], tuple[Any, Any]] | None = None,
) -> None:
    """Make a class a container.

    Args:
      nodetype: the class.
      flatten_func: ``flatten_func(node)`` → (children, data); the data must compare with
        ``==`` and be hashable where the class is used with jit.
      unflatten_func: ``unflatten_func(data, children)`` → node.
      flatten_with_keys_func: as ``flatten_func`` with (key, child) pairs, for paths.

    Raises ValueError where the class is registered already.

    >>> from adlib import tree_util
    >>> class Pair:
    ...     def __init__(self, a, b):
    ...         self.a, self.b = a, b
    >>> tree_util.register_pytree_node(
    ...     Pair, lambda p: ((p.a, p.b), None), lambda data, children: Pair(*children))
    >>> tree_util.tree_leaves(Pair(1, [2, 3]))
    [1, 2, 3]
    """
    if not isinstance(nodetype, type) or not callable(flatten_func) or not callable(unflatten_func):
        raise TypeError(
            "register_pytree_node takes a class and two functions, got "
            f"{nodetype!r}, {flatten_func!r} and {unflatten_func!r}"
        )

    def flatten(node: Any) -> tuple[Any, Any, tuple[Any, ...]]:
        if flatten_with_keys_func is not None:
            pairs, data = flatten_with_keys_func(node)
            pairs = tuple(pairs)
            return tuple(c for _, c in pairs), data, tuple(k for k, _ in pairs)
        children, data = flatten_func(node)
        children = tuple(children)
        return children, data, tuple(FlattenedIndexKey(i) for i in range(len(children)))

    _register(nodetype, flatten, unflatten_func)


def register_pytree_node_class(cls: Any) -> Any:
    """Class decorator; the class has ``tree_flatten`` and the class method ``tree_unflatten``.

    >>> from adlib import tree_util
    >>> @tree_util.register_pytree_node_class
    ... class Scaled:
    ...     def __init__(self, x, scale):
    ...         self.x, self.scale = x, scale
    ...     def tree_flatten(self):
    ...         return (self.x,), self.scale
    ...     @classmethod
    ...     def tree_unflatten(cls, scale, children):
    ...         return cls(children[0], scale)
    >>> tree_util.tree_leaves(Scaled(1.0, 5))
    [1.0]
    """
    register_pytree_node(cls, lambda node: node.tree_flatten(), cls.tree_unflatten)
    return cls


def register_pytree_with_keys(
    nodetype: type,
    flatten_with_keys: Callable[[Any], tuple[Any, Any]],
    unflatten_func: Callable[[Any, Any], Any],
    flatten_func: Callable[[Any], tuple[Any, Any]] | None = None,
) -> None:
    """Make a class a container whose paths show the given keys.

    ``flatten_with_keys(node)`` → ((key, child), …), data. Other arguments and errors as in
    ``register_pytree_node``.

    >>> from adlib import tree_util
    >>> class Box:
    ...     def __init__(self, inner):
    ...         self.inner = inner
    >>> tree_util.register_pytree_with_keys(
    ...     Box,
    ...     lambda b: (((tree_util.GetAttrKey("inner"), b.inner),), None),
    ...     lambda data, children: Box(*children))
    >>> [(path, leaf)] = tree_util.tree_leaves_with_path(Box(3))
    >>> tree_util.keystr(path)
    '.inner'
    """

    def without_keys(node: Any) -> tuple[Any, Any]:
        pairs, data = flatten_with_keys(node)
        return tuple(c for _, c in pairs), data

    register_pytree_node(nodetype, flatten_func or without_keys, unflatten_func, flatten_with_keys)


def register_pytree_with_keys_class(cls: Any) -> Any:
    """Class decorator: the class has ``tree_flatten_with_keys`` and ``tree_unflatten``.

    >>> from adlib import tree_util
    >>> @tree_util.register_pytree_with_keys_class
    ... class Cell:
    ...     def __init__(self, x):
    ...         self.x = x
    ...     def tree_flatten_with_keys(self):
    ...         return ((tree_util.GetAttrKey("x"), self.x),), None
    ...     @classmethod
    ...     def tree_unflatten(cls, data, children):
    ...         return cls(*children)
    >>> [(path, leaf)] = tree_util.tree_leaves_with_path(Cell(3))
    >>> tree_util.keystr(path)
    '.x'
    """
    flatten = getattr(cls, "tree_flatten", None)
    register_pytree_with_keys(
        cls,
        lambda node: node.tree_flatten_with_keys(),
        cls.tree_unflatten,
        (lambda node: node.tree_flatten()) if flatten is not None else None,
    )
    return cls


def register_dataclass(
    nodetype: Any,
    data_fields: Sequence[str] | None = None,
    meta_fields: Sequence[str] | None = None,
    drop_fields: Sequence[str] = (),
) -> Any:
    """Make a dataclass a container; usable as a decorator.

    Args:
      nodetype: the class.
      data_fields: names of the fields that are children. By default every field with
        ``init=True`` whose metadata has no true ``static`` entry.
      meta_fields: names of the fields that belong to the structure (hashable).
      drop_fields: fields that are neither and take their default on rebuilding.

    Raises TypeError where the fields are needed and not given, ValueError where they do not
    match the class.

    >>> import dataclasses
    >>> from adlib import tree_util
    >>> @tree_util.register_dataclass
    ... @dataclasses.dataclass
    ... class Layer:
    ...     w: float
    ...     name: str = dataclasses.field(metadata=dict(static=True))
    >>> tree_util.tree_flatten(Layer(2.0, "first"))
    ([2.0], PyTreeDef(CustomNode(Layer[('first',)], [*])))
    """
    data, meta = _chosen_fields(nodetype, data_fields, meta_fields)
    if dataclasses.is_dataclass(nodetype):
        _check_fields(nodetype, set(data) | set(meta), set(drop_fields))

    def flatten_with_keys(node: Any) -> tuple[Any, Any]:
        pairs = tuple((GetAttrKey(name), getattr(node, name)) for name in data)
        return pairs, tuple(getattr(node, name) for name in meta)

    def flatten(node: Any) -> tuple[Any, Any]:
        return tuple(getattr(node, n) for n in data), tuple(getattr(node, n) for n in meta)

    def unflatten(values: Any, children: Any) -> Any:
        named = dict(zip((*meta, *data), (*values, *children), strict=True))
        return nodetype(**named)

    register_pytree_node(nodetype, flatten, unflatten, flatten_with_keys)
    return nodetype


def _chosen_fields(
    nodetype: Any, data: Sequence[str] | None, meta: Sequence[str] | None
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    if (data is None) != (meta is None):
        raise TypeError(
            "register_dataclass: data_fields and meta_fields must both be specified when either "
            f"is specified. Got data_fields={data} meta_fields={meta}."
        )
    if data is not None and meta is not None:
        return tuple(data), tuple(meta)
    if not dataclasses.is_dataclass(nodetype):
        raise TypeError(
            "register_dataclass: data_fields and meta_fields are required when nodetype is not a "
            f"dataclass. Got nodetype={nodetype}."
        )
    fields = [f for f in dataclasses.fields(nodetype) if f.init]
    return (
        tuple(f.name for f in fields if not f.metadata.get("static", False)),
        tuple(f.name for f in fields if f.metadata.get("static", False)),
    )


def _check_fields(nodetype: Any, named: set[str], dropped: set[str]) -> None:
    have = {f.name for f in dataclasses.fields(nodetype) if f.init}
    problems = []
    if missing := have - named - dropped:
        problems.append(
            f"Missing fields: {sorted(missing)}. Add them to drop_fields to leave them out."
        )
    if unexpected := named - have:
        problems.append(f"Unexpected fields: {sorted(unexpected)}.")
    if problems:
        raise ValueError(
            f"register_dataclass of {nodetype.__name__}: data_fields and meta_fields must name "
            f"every field with init=True, and only those. {' '.join(problems)}"
        )


def register_static(cls: Any) -> Any:
    """Make a class a container without children: its values belong to the structure.

    They must be hashable and comparable. Usable as a decorator.

    >>> import dataclasses
    >>> from adlib import tree_util
    >>> @tree_util.register_static
    ... @dataclasses.dataclass(frozen=True)
    ... class Mode:
    ...     name: str
    >>> tree_util.tree_leaves([1, Mode("train")])
    [1]
    """
    register_pytree_node(cls, lambda node: ((), node), lambda node, _: node)
    return cls


class Partial(functools.partial):  # type: ignore[type-arg]
    """``functools.partial`` that is a pytree: its arguments are children, its function structure.

    So a function together with arrays that it closes over can be passed to a transformed
    function.

    >>> import adlib.numpy as jnp
    >>> from adlib import jit, tree_util
    >>> line = tree_util.Partial(jnp.add, 2.0)
    >>> jit(lambda f, x: f(x))(line, 3.0)
    Array(5., dtype=float32, weak_type=True)
    """

    def __new__(cls, func: Callable[..., Any], *args: Any, **kw: Any) -> Partial:
        # functools would merge the inner one's arguments into ours and change our structure
        if isinstance(func, functools.partial):
            func = _Opaque(func)
        return super().__new__(cls, func, *args, **kw)


class _Opaque:
    """A callable that equals itself alone: keeps an inner partial from being merged."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function = function
        functools.update_wrapper(self, function)

    def __call__(self, *args: Any, **kw: Any) -> Any:
        return self.function(*args, **kw)

    def __hash__(self) -> int:
        return hash(self.function)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Opaque) and self.function == other.function

    def __repr__(self) -> str:
        return repr(self.function)


register_pytree_with_keys(
    Partial,
    lambda p: (((GetAttrKey("args"), p.args), (GetAttrKey("keywords"), p.keywords)), p.func),
    lambda function, children: Partial(function, *children[0], **children[1]),
)
