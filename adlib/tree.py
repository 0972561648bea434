"""``adlib.tree``: the functions of ``adlib.tree_util`` under short names."""

import dataclasses as _dataclasses
from typing import Any as _Any

from adlib import tree_util as _tree_util

__all__ = [
    "all", "broadcast", "flatten", "flatten_with_path", "leaves", "leaves_with_path", "map",
    "map_with_path", "reduce", "reduce_associative", "static", "structure", "transpose",
    "unflatten",
]  # fmt: skip

all = _tree_util.tree_all
broadcast = _tree_util.tree_broadcast
flatten = _tree_util.tree_flatten
flatten_with_path = _tree_util.tree_flatten_with_path
leaves = _tree_util.tree_leaves
leaves_with_path = _tree_util.tree_leaves_with_path
map = _tree_util.tree_map
map_with_path = _tree_util.tree_map_with_path
reduce = _tree_util.tree_reduce
reduce_associative = _tree_util.tree_reduce_associative
structure = _tree_util.tree_structure
transpose = _tree_util.tree_transpose
unflatten = _tree_util.tree_unflatten


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
