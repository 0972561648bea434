"""Parts of long programs: found, named, stretches of the program, never too many."""

import numpy as np
import pytest

import adlib
import adlib.numpy as jnp
from adlib.inspect import graph_record
from adlib.inspect.groups import MOST, GroupRecord, SourceText, grouped, walk
from adlib.inspect.listing import listing_record


def network(weights, rows):
    state = jnp.zeros(4)
    for row in rows:
        push = weights @ state
        state = jnp.tanh(push + row)
    return (state * state).sum()


def layers(x):
    for _ in range(9):
        for _ in range(8):
            x = jnp.sin(x) * 2.0
        x = jnp.cos(x) + jnp.exp(x)
    return x


def helper(x):
    x = jnp.sin(x) + jnp.cos(x) * jnp.exp(x)
    return jnp.tanh(x) * x


def irregular(x):
    operations = [jnp.sin, jnp.cos, jnp.exp, jnp.tanh, jnp.sqrt]
    number = 7
    for _ in range(300):
        number = (number * 1103515245 + 12345) % 2**31
        x = operations[number // 65536 % 5](x)
    return x


def record_of(function, *args):
    jaxpr = adlib.make_jaxpr(function)(*args)
    lines = listing_record(jaxpr).lines
    sources = {line.source: SourceText(line.function, line.source_text) for line in lines}
    return graph_record(jaxpr), sources


def steps(count):
    return np.ones((4, 4), np.float32), np.ones((count, 4), np.float32)


CASES = {
    "unrolled": (network, steps(100)),
    "gradient": (adlib.grad(network), steps(200)),
    "loops in loops": (layers, (1.0,)),
    "irregular": (irregular, (1.0,)),
    "many inputs": (lambda xs: sum(xs), ([1.0] * 200,)),
    "many results": (lambda x: [x * i for i in range(130)], (1.0,)),
}


@pytest.fixture(params=CASES, ids=str)
def folded(request):
    function, args = CASES[request.param]
    record, sources = record_of(function, *args)
    return record, grouped(record, sources)


def flat(members):
    for member in members:
        yield from flat(member.members) if isinstance(member, GroupRecord) else [member]


def test_every_node_is_in_one_place_in_the_programs_order(folded):
    record, members = folded
    assert list(flat(members)) == [node.id for node in record.nodes]


def test_no_level_shows_too_much(folded):
    _, members = folded
    assert len(members) <= MOST + 24
    for part in walk(members):
        assert 1 < len(part.members) <= MOST
        assert part.count == len(list(flat(part.members)))


def test_names_of_parts_are_unique(folded):
    record, members = folded
    names = [part.id for part in walk(members)]
    assert len(set(names)) == len(names)
    assert not set(names) & {node.id for node in record.nodes}


def test_parts_drawn_as_one_node_close_no_cycle(folded):
    record, members = folded
    place = {}
    for number, member in enumerate(members):
        for name in flat([member]):
            place[name] = number
    assert all(place[edge.source] <= place[edge.target] for edge in record.edges)


def test_a_short_program_has_no_parts():
    record, sources = record_of(network, *steps(5))
    assert grouped(record, sources) == tuple(node.id for node in record.nodes)


def test_the_steps_of_an_unrolled_loop_are_found_and_named():
    record, sources = record_of(network, *steps(100))
    first = network.__code__.co_firstlineno
    (loop,) = (part for part in walk(grouped(record, sources)) if part.kind == "repetition")
    assert loop.label == "step ×100"
    assert loop.source == f"test_groups.py:{first + 2}–{first + 4}"
    (step, *_) = (part for part in walk(loop.members) if part.kind == "step")
    assert step.label == "step 0" and loop.count == 100 * step.count
    chunk = loop.members[1]
    assert chunk.kind == "steps" and chunk.label == "steps 10–19"


def test_the_reverse_sweep_is_numbered_by_the_steps_that_it_undoes():
    record, sources = record_of(adlib.grad(network), *steps(200))
    forward, reverse = (p for p in walk(grouped(record, sources)) if p.kind == "repetition")
    assert forward.label == "step ×200" and reverse.label.startswith("reverse step ×19")
    inside = [part.label for part in walk(reverse.members) if part.kind == "step"]
    numbers = [int(label.removeprefix("reverse step ")) for label in inside]
    assert numbers == list(range(numbers[0], numbers[0] - len(numbers), -1))
    assert 197 <= numbers[0] <= 199


def test_the_longer_repetition_holds_the_shorter_one():
    record, sources = record_of(layers, 1.0)
    outer = next(part for part in walk(grouped(record, sources)) if part.kind == "repetition")
    assert outer.label == "step ×9" and outer.count == 9 * 19


def test_functions_and_lines_where_nothing_repeats():
    def caller(x):
        y = irregular(x)
        return helper(y) * irregular(y)

    record, sources = record_of(caller, 1.0)
    top = grouped(record, sources)
    labels = [part.label for part in top if isinstance(part, GroupRecord)]
    assert labels == ["irregular()", "helper()", "irregular()"]


def test_without_sources_parts_go_by_numbers_and_places():
    record, _ = record_of(irregular, 1.0)
    parts = [part for part in grouped(record) if isinstance(part, GroupRecord)]
    assert parts and all(part.text == "" for part in parts)
    assert any(part.label.startswith("equations ") for part in parts)


def scoped(x):
    with adlib.named_scope("outer"):
        with adlib.named_scope("inner"):
            y = jnp.sin(x) * 2.0
    with adlib.named_scope("outer"):
        y = jnp.exp(y)
    return y + x


def test_named_scopes_are_parts_of_any_program():
    record, sources = record_of(scoped, 1.0)
    first, outer, rest, last = grouped(record, sources)
    assert (first, rest, last) == ("in_0", "add_0", "out_0")
    assert (outer.kind, outer.label, outer.count) == ("scope", "outer", 3)
    inner, exp = outer.members
    assert (inner.label, inner.members, exp) == ("inner", ("sin_0", "mul_0"), "exp_0")
    assert inner.id != outer.id


def test_a_scope_that_fills_another_is_another_part():
    def nested(x):
        with adlib.named_scope("a"), adlib.named_scope("b"):
            return jnp.sin(x) * x

    record, sources = record_of(adlib.grad(nested), 1.0)
    names = [part.id for part in walk(grouped(record, sources))]
    assert len(names) >= 2 and len(set(names)) == len(names)


def test_a_scope_ends_with_its_block_even_where_it_raises():
    def fails(x):
        with adlib.named_scope("a"):
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        adlib.make_jaxpr(fails)(1.0)
    record, _ = record_of(jnp.sin, 1.0)
    assert record.of_kind("equation")[0].scope == ()


def test_one_equation_again_and_again_has_no_part_for_each():
    record, sources = record_of(*CASES["many results"][:1], *CASES["many results"][1])
    part = next(part for part in walk(grouped(record, sources)) if part.kind == "repetition")
    assert part.label == "mul ×130" and part.members[1].label == "mul 10–19"


def test_many_inputs_are_one_part():
    record, sources = record_of(lambda xs: sum(xs), [1.0] * 200)
    first = grouped(record, sources)[0]
    assert (first.kind, first.label, first.count) == ("inputs", "200 inputs", 200)
    assert len(first.members) <= MOST
