"""Pytrees: structures print as the field prints them, paths name places, mismatches are named."""

import collections
import dataclasses
import functools

import pytest

from adlib import tree
from adlib import tree_util as tu

Point = collections.namedtuple("Point", "x y")


class Box:
    def __init__(self, inner):
        self.inner = inner

    def __eq__(self, other):
        return isinstance(other, Box) and self.inner == other.inner


tu.register_pytree_node(Box, lambda b: ((b.inner,), None), lambda _, children: Box(*children))


@tu.register_pytree_node_class
class Span:
    def __init__(self, low, high):
        self.low, self.high = low, high

    def tree_flatten(self):
        return (self.low,), self.high

    @classmethod
    def tree_unflatten(cls, high, children):
        return cls(children[0], high)


@tu.register_pytree_with_keys_class
class Keyed:
    def __init__(self, value):
        self.value = value

    def tree_flatten_with_keys(self):
        return ((tu.GetAttrKey("value"), self.value),), None

    @classmethod
    def tree_unflatten(cls, _, children):
        return cls(*children)


@tu.register_dataclass
@dataclasses.dataclass
class Layer:
    w: object
    b: object
    name: str = dataclasses.field(default="dense", metadata={"static": True})


@tu.register_static
@dataclasses.dataclass(frozen=True)
class Setting:
    value: int


STRUCTURES = [
    (1, "*"),
    (None, "None"),
    ((), "()"),
    ((1,), "(*,)"),
    ([1, (2, 3)], "[*, (*, *)]"),
    ({"b": [1, 2], "a": (3, None)}, "{'a': (*, None), 'b': [*, *]}"),
    (Point(1, [2]), "CustomNode(namedtuple[Point], [*, [*]])"),
    (collections.OrderedDict(b=1, a=2), "CustomNode(OrderedDict[('b', 'a')], [*, *])"),
    (Box({"a": 1}), "CustomNode(Box[None], [{'a': *}])"),
    (Layer(1, [2], "q"), "CustomNode(Layer[('q',)], [*, [*]])"),
    (Setting(3), "CustomNode(Setting[Setting(value=3)], [])"),
]


@pytest.mark.parametrize("value, text", STRUCTURES, ids=[t for _, t in STRUCTURES])
def test_structures_print(value, text):
    leaves, treedef = tu.tree_flatten(value)
    assert str(treedef) == f"PyTreeDef({text})"
    assert treedef.num_leaves == len(leaves) == text.count("*")
    rebuilt = tu.tree_unflatten(treedef, leaves)
    assert type(rebuilt) is type(value)
    assert tu.tree_flatten(rebuilt) == (leaves, treedef)
    assert hash(tu.tree_structure(rebuilt)) == hash(treedef)


def test_dictionaries_are_walked_by_sorted_keys():
    assert tu.tree_leaves({"b": 1, "a": 2, "c": None}) == [2, 1]
    assert tu.tree_structure({"a": 1, "b": 2}) == tu.tree_structure({"b": 1, "a": 2})


PATHS = [
    ({"b": [1, 2], "a": (3, None, Point(1, Box(2)))},
     ["['a'][0]", "['a'][2].x", "['a'][2].y[<flat index 0>]", "['b'][0]", "['b'][1]"]),
    (Keyed([1]), [".value[0]"]),
    (Layer(1, {"c": 2}), [".w", ".b['c']"]),
    (5, [""]),
]  # fmt: skip


@pytest.mark.parametrize("value, texts", PATHS)
def test_paths(value, texts):
    pairs, treedef = tu.tree_flatten_with_path(value)
    assert [tu.keystr(path) for path, _ in pairs] == texts
    assert [leaf for _, leaf in pairs] == tu.tree_leaves(value)
    assert treedef == tu.tree_structure(value)


def test_key_objects():
    [(path, leaf)] = tu.tree_leaves_with_path({"a": [7]})
    assert path == (tu.DictKey("a"), tu.SequenceKey(0)) and leaf == 7
    assert repr(path) == "(DictKey(key='a'), SequenceKey(idx=0))"
    assert (path[0].key, path[1].idx, tu.GetAttrKey("n").name) == ("a", 0, "n")
    assert tu.keystr(path, simple=True, separator="/") == "a/0"
    assert len({tu.DictKey("a"), tu.DictKey("a"), tu.GetAttrKey("a")}) == 2


def test_is_leaf_may_look_at_the_path():
    value = {"keep": [1, 2], "open": [3, 4]}

    def stop(path, node):
        return path == (tu.DictKey("keep"),)

    pairs, treedef = tu.tree_flatten_with_path(value, stop, is_leaf_takes_path=True)
    assert [leaf for _, leaf in pairs] == [[1, 2], 3, 4]
    assert str(treedef) == "PyTreeDef({'keep': *, 'open': [*, *]})"
    assert tu.tree_leaves([1, None], is_leaf=lambda x: x is None) == [1, None]


def test_tree_map():
    double = tu.tree_map(lambda x: 2 * x, {"a": 1, "b": Box([2, None])})
    assert double == {"a": 2, "b": Box([4, None])}
    # below the first tree's leaves the others may go on
    assert tu.tree_map(lambda x, y: (x, y), [1, 2], [[3], {"a": 4}]) == [(1, [3]), (2, {"a": 4})]
    named = tu.tree_map_with_path(lambda p, x, y: (tu.keystr(p), x, y), {"a": 1}, {"a": 2})
    assert named == {"a": ("['a']", 1, 2)}
    assert tu.tree_map(lambda s: s.high, [Span(1, 2)], is_leaf=lambda x: type(x) is Span) == [2]


MISMATCHES = [
    ([1, 2], [1, 2, 3], r"differ at tree: the first tree has a list of length 2 there, tree "
     r"number 2 has a list of length 3"),
    ([1, 2], (1, 2), "has a list of length 2 there, tree number 2 has a tuple of length 2"),
    ({"a": 1}, {"b": 1}, "a dict with keys 'a' there, tree number 2 has a dict with keys 'b'"),
    ([1, {"a": (1, 2)}], [1, {"a": 2}], r"at tree\[1\]\['a'\]: the first tree has a tuple of "
     "length 2 there, tree number 2 has a leaf of type int"),
    ([1, None], [1, 2], r"at tree\[1\]: the first tree has None there, .* a leaf of type int"),
    (Box([1]), Box([1, 2]), r"at tree\[<flat index 0>\]"),
]  # fmt: skip


@pytest.mark.parametrize("first, second, message", MISMATCHES)
def test_mismatched_trees_name_the_place(first, second, message):
    with pytest.raises(ValueError, match=message) as error:
        tu.tree_map(lambda x, y: x, first, second)
    assert "Repair: give trees of the same containers" in str(error.value)
    with pytest.raises(ValueError, match=message):
        tu.tree_map_with_path(lambda p, x, y: x, first, second)


def test_errors_of_the_mapped_function_pass_through():
    with pytest.raises(ValueError, match="my own"):
        tu.tree_map(lambda x, y: (_ for _ in ()).throw(ValueError("my own")), [1], [2])


def test_a_mismatch_below_is_leaf_is_none():
    def stop(x):
        return isinstance(x, tuple)

    assert tu.tree_map(lambda x, y: (x, y), [(1, 2)], [(3,)], is_leaf=stop) == [((1, 2), (3,))]
    with pytest.raises(ValueError, match="a list of length 1 there, tree number 2 has a list of"):
        tu.tree_map(lambda x, y: x, [(1, 2)], [(3,), 4], is_leaf=stop)


def test_unflatten_counts_leaves():
    treedef = tu.tree_structure([1, 2])
    with pytest.raises(ValueError, match=r"Too few leaves for PyTreeDef\(\[\*, \*\]\); expected 2"):
        tu.tree_unflatten(treedef, [1])
    with pytest.raises(ValueError, match="Too many leaves .* expected 2, got 3"):
        tu.tree_unflatten(treedef, iter([1, 2, 3]))


def test_reductions():
    assert tu.tree_reduce(lambda a, b: a + b, [1, (2, 3)]) == 6
    assert tu.tree_reduce(lambda a, b: a + b, [1, (2, 3)], 10) == 16
    with pytest.raises(TypeError, match="empty"):
        tu.tree_reduce(lambda a, b: a + b, [])
    nest = tu.tree_reduce_associative(lambda a, b: f"({a}{b})", list("abcde"))
    assert nest == "((ab)(c(de)))"
    assert tu.tree_reduce_associative(max, [], identity=0) == 0
    with pytest.raises(TypeError, match="pass identity="):
        tu.tree_reduce_associative(max, [])
    assert tu.tree_all([True, {"a": 1}]) and not tu.tree_all([True, {"a": 0}])


def test_broadcast_and_transpose():
    assert tu.tree_broadcast(1, {"a": [0, 0]}) == {"a": [1, 1]}
    assert tu.tree_broadcast([1, 2], [(0, 0), 0]) == [(1, 1), 2]
    with pytest.raises(ValueError, match="tree_broadcast: pytree structures differ at tree"):
        tu.tree_broadcast([1, 2], [3])
    outer, inner = tu.tree_structure([0, 0]), tu.tree_structure({"a": 0, "b": 0})
    rows = [{"a": 1, "b": 2}, {"a": 3, "b": 4}]
    assert tu.tree_transpose(outer, inner, rows) == {"a": [1, 3], "b": [2, 4]}
    assert tu.tree_transpose(outer, None, rows) == {"a": [1, 3], "b": [2, 4]}
    with pytest.raises(TypeError, match="wanted is PyTreeDef"):
        tu.tree_transpose(outer, inner, rows[:1])


def test_structures_take_apart():
    treedef = tu.tree_structure([1, {"a": 2}])
    assert str(tu.treedef_children(treedef)) == "[PyTreeDef(*), PyTreeDef({'a': *})]"
    assert tu.treedef_is_leaf(tu.tree_structure(1)) and not tu.treedef_is_leaf(treedef)
    assert str(tu.treedef_tuple(tu.treedef_children(treedef))) == "PyTreeDef((*, {'a': *}))"
    pair = tu.tree_structure((1, 2))
    assert str(pair.compose(treedef)) == "PyTreeDef(([*, {'a': *}], [*, {'a': *}]))"
    assert treedef.flatten_up_to([1, {"a": (2, 3)}]) == [1, (2, 3)]
    assert (treedef.num_leaves, treedef.num_nodes) == (2, 4)
    assert tu.tree_structure({"b": 1, "a": 2}).node_data() == (dict, ["a", "b"])


def test_one_level():
    assert tu.flatten_one_level([1, {"a": 2}])[0] == (1, {"a": 2})
    pairs, _ = tu.flatten_one_level_with_keys({"a": [2]})
    assert pairs == ((tu.DictKey("a"), [2]),)
    with pytest.raises(ValueError, match="can't tree-flatten type <class 'int'>"):
        tu.flatten_one_level(1)
    assert tu.is_tree_node(list) and tu.is_tree_node(Box) and tu.is_tree_node(Point)
    assert not tu.is_tree_node(int)
    for single in (1, None, (), {}):
        assert tu.treedef_is_leaf(tu.tree_structure(single))
    assert not tu.treedef_is_leaf(tu.tree_structure((1,)))
    assert tu.all_leaves([1, 2]) and not tu.all_leaves([1, [2]]) and not tu.all_leaves([None])


def test_partial_is_a_tree():
    p = tu.Partial(max, 1, key=None)
    assert isinstance(p, functools.partial)
    assert tu.tree_leaves(tu.Partial(pow, 2, mod=7)) == [2, 7]
    q = tu.tree_map(lambda x: 10 * x, tu.Partial(pow, 2))
    assert q(2) == 400 and type(q) is tu.Partial
    # a partial of a partial keeps the inner arguments out of the tree
    assert tu.tree_leaves(tu.Partial(functools.partial(max, 1), 2)) == [2]
    assert tu.tree_structure(tu.Partial(max, 1)) == tu.tree_structure(tu.Partial(max, 2))
    assert tu.tree_structure(tu.Partial(max, 1)) != tu.tree_structure(tu.Partial(min, 1))


@dataclasses.dataclass
class Plain:
    a: int
    b: int


REGISTRATIONS = [
    (lambda: tu.register_dataclass(Plain, ["a"], []), ValueError, r"Missing fields: \['b'\]"),
    (lambda: tu.register_dataclass(Plain, ["a", "c"], ["b"]), ValueError,
     r"Unexpected fields: \['c'\]"),
    (lambda: tu.register_dataclass(Plain, ["a"]), TypeError, "must both be specified"),
    (lambda: tu.register_dataclass(int), TypeError, "required when nodetype is not a dataclass"),
    (lambda: tu.register_pytree_node(Box, lambda b: ((), None), lambda d, c: None), ValueError,
     "Duplicate custom PyTreeDef type registration"),
    (lambda: tu.register_pytree_node(Plain, None, None), TypeError, "takes a class and two"),
]  # fmt: skip


@pytest.mark.parametrize("register, error, message", REGISTRATIONS)
def test_wrong_registrations(register, error, message):
    with pytest.raises(error, match=message):
        register()


def test_short_names_and_static_fields():
    assert tree.map(lambda x: x + 1, {"a": 1}) == {"a": 2}
    assert sorted(n for n in dir(tree) if n in tree.__all__) == sorted(tree.__all__)

    @tu.register_dataclass
    @dataclasses.dataclass
    class Op:
        x: float
        kind: str = tree.static(default="add")

    assert tree.leaves(Op(1.0)) == [1.0]
    assert tree.map(lambda x: 2 * x, Op(1.0, "mul")) == Op(2.0, "mul")
