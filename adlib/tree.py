"""``adlib.tree``: the functions of ``adlib.tree_util`` under short names."""

import dataclasses as _dataclasses
from typing import Any as _Any

from adlib.tree_util import (
    tree_all as all,
    tree_broadcast as broadcast,
    tree_flatten as flatten,
    tree_flatten_with_path as flatten_with_path,
    tree_leaves as leaves,
    tree_leaves_with_path as leaves_with_path,
    tree_map as map,
    tree_map_with_path as map_with_path,
    tree_reduce as reduce,
    tree_reduce_associative as reduce_associative,
    tree_structure as structure,
    tree_transpose as transpose,
    tree_unflatten as unflatten,
)

__all__ = [
    "all", "broadcast", "flatten", "flatten_with_path", "leaves", "leaves_with_path", "map",
    "map_with_path", "reduce", "reduce_associative", "static", "structure", "transpose",
    "unflatten",
]  # fmt: skip


def static(**kwargs: _Any) -> _Any:
    """A dataclass field that belongs to the structure: ``dataclasses.field`` marked static.

    >>> import dataclasses
    >>> from adlib import tree, tree_util
    >>> @tree_util.register_dataclass
    ... @dataclasses.dataclass
    ... class Op:
    ...     x: float
    ...     kind: str = tree.static(default="add")
    >>> tree.leaves(Op(1.0))
    [1.0]
    """
    metadata = {**(kwargs.pop("metadata", None) or {}), "static": True}
    return _dataclasses.field(metadata=metadata, **kwargs)
