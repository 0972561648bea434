"""Pytrees as the engine uses them."""

import collections

import pytest

from adlib.base import tree

Point = collections.namedtuple("Point", "x y")

# value: leaves
TREES = {
    "leaf": (3, [3]),
    "list": ([1, [2, 3]], [1, 2, 3]),
    "tuple": ((1, (2,)), [1, 2]),
    "dict": ({"b": 2, "a": 1}, [1, 2]),
    "none": (None, []),
    "nested none": ([None, 1, {"a": None}], [1]),
    "namedtuple": (Point(1, [2]), [1, 2]),
    "ordered": (collections.OrderedDict([("b", 1), ("a", 2)]), [1, 2]),
    "defaultdict": (collections.defaultdict(int, {"b": 2, "a": 1}), [1, 2]),
    "deque": (collections.deque([1, 2]), [1, 2]),
    "empty": ([(), {}, []], []),
    "string": (["ab", {1}], ["ab", {1}]),
}


@pytest.mark.parametrize("name", TREES)
def test_flatten_and_back(name):
    value, wanted = TREES[name]
    leaves, structure = tree.flatten(value)
    assert leaves == wanted == tree.leaves(value)
    assert structure == tree.structure(value)
    back = tree.unflatten(structure, leaves)
    assert back == value and type(back) is type(value)
    assert tree.unflatten(structure, iter(leaves)) == value


def test_structures_tell_containers_apart():
    different = [tree.structure(v) for v in ([1], (1,), {"a": 1}, {"b": 1}, Point(1, 1), 1, None)]
    assert len(set(different)) == len(different)
    assert tree.structure({"a": 1, "b": 2}) == tree.structure({"b": 5, "a": 6})


def test_map():
    assert tree.map(lambda a, b: a + b, {"a": 1, "b": [2]}, {"a": 10, "b": [20]}) == {
        "a": 11,
        "b": [22],
    }
    assert tree.map(len, [[1, 2], [3]], is_leaf=lambda x: x and isinstance(x[0], int)) == [2, 1]


def test_paths_and_prefixes():
    assert tree.paths({"b": [1, 2], "a": 0}) == [("a",), ("b", 0), ("b", 1)]
    assert tree.prefix_leaves([0, None], [(1, 2), None]) == [0, 0]
    assert tree.prefix_leaves(5, {"a": 1, "b": 2}) == [5, 5]
    with pytest.raises(ValueError, match="list arity mismatch|[Ee]xpected"):
        tree.prefix_leaves([0, 1], [1, 2, 3])


def test_static_classes_are_structure():
    @tree.register_static
    class Mode:
        def __init__(self, name):
            self.name = name

        def __eq__(self, other):
            return self.name == other.name

        def __hash__(self):
            return hash(self.name)

    leaves, structure = tree.flatten([Mode("a"), 1])
    assert leaves == [1]
    assert structure == tree.structure([Mode("a"), 2])
    assert structure != tree.structure([Mode("b"), 2])
    assert tree.unflatten(structure, [7])[0].name == "a"
