"""Classes as containers, through every transformation."""

import collections
import dataclasses
import functools

import pytest

import adlib
import adlib.numpy as jnp
from adlib.base import registration, tree
from adlib.base.treedef import FlattenedIndexKey, GetAttrKey


class Pair:
    def __init__(self, a, b, label="p"):
        self.a, self.b, self.label = a, b, label


registration.register_pytree_node(
    Pair, lambda p: ([p.a, p.b], p.label), lambda label, children: Pair(*children, label)
)


@registration.register_pytree_node_class
class Same(Pair):
    def tree_flatten(self):
        return (self.a, self.b), self.label

    @classmethod
    def tree_unflatten(cls, label, children):
        return cls(*children, label)


@registration.register_pytree_with_keys_class
class Keyed(Pair):
    def tree_flatten_with_keys(self):
        return ((GetAttrKey("a"), self.a), (GetAttrKey("b"), self.b)), self.label

    @classmethod
    def tree_unflatten(cls, label, children):
        return cls(*children, label)


@registration.register_dataclass
@dataclasses.dataclass
class Data:
    a: float
    b: float
    label: str = dataclasses.field(default="p", metadata={"static": True})


@dataclasses.dataclass
class Chosen:
    a: float
    b: float
    label: str = "p"
    note: str = "dropped"


registration.register_dataclass(Chosen, ["a", "b"], ["label"], drop_fields=["note"])

CLASSES = [Pair, Same, Keyed, Data, Chosen]


@pytest.mark.parametrize("cls", CLASSES)
def test_flatten_and_back(cls):
    leaves, structure = tree.flatten(cls(1.0, [2.0], "q"))
    assert leaves == [1.0, 2.0]
    back = tree.unflatten(structure, [3.0, 4.0])
    assert type(back) is cls
    assert (back.a, back.b, back.label) == (3.0, [4.0], "q")
    assert structure != tree.structure(cls(1.0, [2.0], "other"))


@pytest.mark.parametrize("cls", CLASSES)
def test_through_transformations(cls):
    def f(p):
        return jnp.sum(p.a * p.b)

    p = cls(jnp.array([1.0, 2.0]), jnp.array([3.0, 4.0]), "q")
    g = adlib.grad(f)(p)
    assert type(g) is cls and g.label == "q"
    assert g.a.tolist() == [3.0, 4.0] and g.b.tolist() == [1.0, 2.0]
    assert float(adlib.jit(f)(p)) == 11.0
    assert adlib.vmap(f)(p).tolist() == [3.0, 8.0]
    assert float(adlib.jvp(f, (p,), (p,))[1]) == 22.0
    mapped = adlib.vmap(lambda p: cls(p.b, p.a, "new"))(p)
    assert type(mapped) is cls and mapped.label == "new"
    assert adlib.jit(lambda p: p)(p).label == "q"


def paths(value):
    return [path for path, _ in adlib.tree_util.tree_flatten_with_path(value)[0]]


def test_keys_of_children():
    assert paths(Pair(1, 2)) == [(FlattenedIndexKey(0),), (FlattenedIndexKey(1),)]
    for cls in (Keyed, Data, Chosen):
        assert paths(cls(1, 2)) == [(GetAttrKey("a"),), (GetAttrKey("b"),)]


def test_dropped_fields_take_their_default():
    (leaves, structure) = tree.flatten(Chosen(1.0, 2.0, note="mine"))
    assert tree.unflatten(structure, leaves).note == "dropped"


def test_a_namedtuple_may_be_flattened_in_its_own_way():
    Span = collections.namedtuple("Span", "low high")
    registration.register_pytree_node(
        Span, lambda s: ((s.high,), s.low), lambda low, children: Span(low, *children)
    )
    assert tree.leaves(Span(1, 2)) == [2]


class Plain:
    pass


MISTAKES = {
    "twice": (
        lambda: registration.register_static(Pair), ValueError,
        ["Duplicate custom PyTreeDef type registration", "Pair", "register a class once"]),
    "no class": (
        lambda: registration.register_pytree_node(3, len, len), TypeError,
        ["takes a class and two functions, got 3"]),
    "fields of no dataclass": (
        lambda: registration.register_dataclass(Plain), TypeError,
        ["data_fields and meta_fields are required", "Plain"]),
    "half the fields": (
        lambda: registration.register_dataclass(Chosen, ["a"]), TypeError,
        ["must both be specified", "data_fields=['a'] meta_fields=None"]),
    "missing field": (
        lambda: registration.register_dataclass(Chosen, ["a"], ["label", "note"]), ValueError,
        ["Missing fields: ['b']", "drop_fields"]),
    "unknown field": (
        lambda: registration.register_dataclass(Chosen, ["a", "b", "c"], ["label", "note"]),
        ValueError, ["Unexpected fields: ['c']"]),
}  # fmt: skip


@pytest.mark.parametrize("name", MISTAKES)
def test_mistakes(name):
    mistake, error, pieces = MISTAKES[name]
    with pytest.raises(error) as caught:
        mistake()
    for piece in pieces:
        assert piece in str(caught.value)


def test_partial_keeps_its_function_and_traces_its_arguments():
    p = registration.Partial(jnp.power, jnp.array(3.0))
    assert float(adlib.jit(lambda f, x: f(x))(p, 2.0)) == 9.0
    g = adlib.grad(lambda f: f(2.0))(p)
    assert isinstance(g, registration.Partial) and float(g.args[0]) == 6.0


def test_partial_of_a_partial_is_not_merged():
    inner = functools.partial(pow, 2)
    outer = registration.Partial(inner, 3)
    assert outer() == 8 and outer.args == (3,)
    assert tree.structure(outer) == tree.structure(registration.Partial(inner, 5))
    assert repr(inner) in repr(outer.func)
