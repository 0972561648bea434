"""The native function that calls compiled programs: from a call's arguments to its result.

There is one for all programs; what differs is in tables of words (see ``calling``). For each
table that a jitted function has, it walks the arguments in the structure that the table
describes, and refuses at the first that is of another type. If all fit, it allocates the results,
calls the program with the addresses of all arrays, wraps the results, puts them into their
structure, and returns that. Where no table fits it returns NotImplemented, and nothing has
happened.
"""

from __future__ import annotations

import numpy as np

from adlib.compile.calling_code import Code
from adlib.compile.layout import CONFORMING, WRITEABLE, layout, ownership, shape, slot
from adlib.compile.llvm_module import Module
from adlib.core.array import ArrayImpl
from adlib.core.avals import ShapedArray

# Words of a table. Counts and places in bytes of what follows: checks, results, parts.
WORDS = (
    "positional names key_names checks checks_at results results_at parts parts_at "
    "pointers pointers_at function arena arena_size releases donates"
).split()
WORD = {name: number for number, name in enumerate(WORDS)}

# A check of one argument or of something within it, 8 words each: what it is, how it is got, from
# which earlier check, by which index or key, the type and the size or Array type that it must
# have, where its address goes (or -1), and whether its memory is given away.
_CHECK = "kind fetch of at type wanted place donated".split()
CHECK = {name: number for number, name in enumerate(_CHECK)}
CHECK_WORDS = 8
ARRAY, FLOAT4, FLOAT8, INT4, INT8, BOOLEAN, IDENTICAL, TUPLE, LIST, DICT, NOTHING = range(11)
NDARRAY = 11  # an array of NumPy's; wanted are its type, its rank and its sizes
FROM_ARGUMENTS, FROM_TUPLE, FROM_LIST, FROM_DICT = range(4)

# One result: how it is made, of what, its Array type, rank and sizes, where its address goes, and
# the check of the argument that it may take the memory of (or -1); then its bytes.
_RESULT = "kind of aval rank sizes place reuses bytes".split()
RESULT = {name: number for number, name in enumerate(_RESULT)}
RESULT_WORDS = 8
FRESH, POOLED, ARGUMENT, SAME, CONSTANT = range(5)

# One part of the structure that is returned, children first: what it is, of how many, and the
# keys of a dictionary or the class of a named tuple.
PART_WORDS = 3
A_RESULT, A_TUPLE, A_LIST, A_DICT, A_NONE, A_NAMED = range(6)


def module() -> Module:
    """LLVM text with the function ``call`` and the table ``links``."""
    made = Module()
    _fetch(made)
    _check(made)
    _sole(made)
    _allocate(made)
    _wrap(made)
    _assemble(made)
    _attempt(made)
    _applies(made)
    _call(made)
    return made


def _slots() -> tuple[int, int]:
    """Where an ArrayImpl keeps its ndarray and its type."""
    number = ShapedArray((), np.dtype(np.float32))
    value = slot(ArrayImpl, "_value", lambda v: ArrayImpl(v, number))
    array = np.zeros((), np.float32)
    return value, slot(ArrayImpl, "aval", lambda v: ArrayImpl(array, v))


def _fetch(module: Module) -> None:
    """The object that a check is about; null where there is none."""
    c = Code(module)
    fetch, index = c.word("%check", CHECK["fetch"]), c.word("%check", CHECK["at"])
    cases = ["arguments", "tuple", "list", "dict"]
    table = " ".join(f"i64 {n}, label %{name}" for n, name in enumerate(cases))
    of = c.word("%check", CHECK["of"])
    parent_at = c.entry("%found", of)
    c.do(f"switch i64 {fetch}, label %dict [ {table} ]")
    c.lines.append("arguments:")
    c.do(f"ret ptr {c.load(c.entry('%args', index))}")
    for name, function in (("tuple", "PyTuple_GetItem"), ("list", "PyList_GetItem")):
        c.lines.append(f"{name}:")
        parent = c.load(parent_at)
        c.do(f"ret ptr {c.call(f'py:{function}', f'ptr {parent}', f'i64 {index}')}")
    c.lines.append("dict:")
    parent = c.load(parent_at)
    key = c.let(f"inttoptr i64 {index} to ptr")
    item = c.call("py:PyDict_GetItemWithError", f"ptr {parent}", f"ptr {key}")
    c.do(f"ret ptr {item}")
    c.function("internal ptr @fetch(ptr %check, ptr %args, ptr %found)")


def _check(module: Module) -> None:
    """Whether an object is what a check wants; its address goes to its place, a number's first
    to ``cell``."""
    offsets = layout()
    value_at, aval_at = _slots()
    c = Code(module)
    type_ = c.load("%object", offsets.type, "i64")
    kind, wanted = c.word("%check", CHECK["kind"]), c.word("%check", CHECK["wanted"])
    place = c.word("%check", CHECK["place"])
    same = c.is_(c.let("ptrtoint ptr %object to i64"), wanted)
    identical = c.is_(kind, IDENTICAL)
    with c.when(identical):
        c.do(f"ret i1 {same}")
    c.need(c.is_(type_, c.word("%check", CHECK["type"])), "no")
    address = c.variable("ptr", "%cell")
    names = ["array", "f4", "f8", "i4", "i8", "boolean", "no", "tuple", "list", "dict", "yes"]
    names.append("ndarray" if shape() is not None else "no")
    table = " ".join(f"i64 {n}, label %{name}" for n, name in enumerate(names))
    c.do(f"switch i64 {kind}, label %no [ {table} ]")

    c.lines.append("array:")
    c.need(c.is_(c.load("%object", aval_at, "i64"), wanted), "no")
    array = c.load("%object", value_at)
    c.leave(c.is_(array, "null", "ptr"), "no")  # an Array whose memory was given away
    ndarray = c.let(f"load ptr, ptr {module.link('object:ndarray')}")
    c.need(c.is_(c.load(array, offsets.type), ndarray, "ptr"), "no")
    flags = c.let(f"and i32 {c.load(array, offsets.flags, 'i32')}, {CONFORMING}")
    c.need(c.is_(flags, CONFORMING, "i32"), "no")
    c.store(array, "%held")
    c.store(c.load(array, offsets.data), address)
    c.go("placed")

    _check_ndarray(c, wanted, address)
    for name in ("f4", "f8"):
        c.lines.append(f"{name}:")
        number = c.call("py:PyFloat_AsDouble", "ptr %object", result="double")
        if name == "f4":
            number = c.let(f"fptrunc double {number} to float")
        c.store(number, "%cell", 0, "float" if name == "f4" else "double")
        c.go("placed")
    for name in ("i4", "i8", "boolean"):
        c.lines.append(f"{name}:")
        beyond = c.variable("i32", "0")
        number = c.call(
            "py:PyLong_AsLongLongAndOverflow", "ptr %object", f"ptr {beyond}", result="i64"
        )
        c.need(c.is_(c.load(beyond, 0, "i32"), 0, "i32"), "no")
        type_ = {"i4": "i32", "i8": "i64", "boolean": "i8"}[name]
        if type_ != "i64":
            narrow = c.let(f"trunc i64 {number} to {type_}")
            c.need(c.is_(c.let(f"sext {type_} {narrow} to i64"), number), "no")
            number = narrow
        c.store(number, "%cell", 0, type_)
        c.go("placed")
    for name, size in (("tuple", "PyTuple_Size"), ("list", "PyList_Size"), ("dict", "PyDict_Size")):
        c.lines.append(f"{name}:")
        c.do(f"ret i1 {c.is_(c.call(f'py:{size}', 'ptr %object', result='i64'), wanted)}")
    c.lines.append("placed:")
    c.leave(c.let(f"icmp slt i64 {place}, 0"), "yes")
    c.store(c.load(address), c.entry("%pointers", place))
    c.mark("yes")
    c.do("ret i1 true")
    c.lines.append("no:")
    c.do("ret i1 false")
    c.function("internal i1 @check(ptr %check, ptr %object, ptr %pointers, ptr %held, ptr %cell)")


def _check_ndarray(c: Code, wanted: str, address: str) -> None:
    """Whether an array of NumPy's has the type and the shape that are wanted, in order."""
    fields = shape()
    if fields is None:
        return
    c.lines.append("ndarray:")
    flags = c.let(f"and i32 {c.load('%object', layout().flags, 'i32')}, {CONFORMING}")
    c.need(c.is_(flags, CONFORMING, "i32"), "no")
    words = c.let(f"inttoptr i64 {wanted} to ptr")
    c.need(c.is_(c.load("%object", fields.type, "i64"), c.word(words, 0)), "no")
    rank = c.let(f"zext i32 {c.load('%object', fields.rank, 'i32')} to i64")
    c.need(c.is_(rank, c.word(words, 1)), "no")
    sizes, wanted_sizes = c.load("%object", fields.sizes), c.at(words, 16)
    with c.each(rank) as i:
        size = c.load(c.entry(sizes, i), 0, "i64")
        c.need(c.is_(size, c.load(c.entry(wanted_sizes, i), 0, "i64")), "no")
    c.store("%object", "%held")
    c.store(c.load("%object", layout().data), address)
    c.go("placed")


def _allocate(module: Module) -> None:
    """The ndarray of one result, as a new reference; null where an exception is set."""
    c = Code(module)
    kind, of = c.word("%result", RESULT["kind"]), c.load("%result", 8 * RESULT["of"])
    number = c.word("%result", RESULT["of"])
    names = ["fresh", "pooled", "argument", "same", "constant"]
    table = " ".join(f"i64 {n}, label %{name}" for n, name in enumerate(names))
    array = c.variable("ptr", "null")
    donor_number = c.word("%result", RESULT["reuses"])
    reuses = c.let(f"icmp sge i64 {donor_number}, 0")
    with c.when(reuses):
        donor = c.load(c.entry("%held", donor_number))
        with c.when(c.let(f"call i1 @sole(ptr {donor})")):
            c.keep(donor)
            c.store(donor, array)
            c.go("made")
    c.do(f"switch i64 {kind}, label %constant [ {table} ]")
    c.lines.append("fresh:")
    ndarray = c.let(f"load ptr, ptr {module.link('object:ndarray')}")
    rank = c.let(f"trunc i64 {c.word('%result', RESULT['rank'])} to i32")
    sizes = c.load("%result", 8 * RESULT["sizes"])
    c.keep(of)  # the function takes this reference over
    new = c.call(
        "numpy:PyArray_NewFromDescr",
        *[f"ptr {ndarray}", f"ptr {of}", f"i32 {rank}", f"ptr {sizes}"],
        *["ptr null", "ptr null", "i32 0", "ptr null"],
    )
    c.store(new, array)
    c.go("made")
    c.lines.append("pooled:")
    take = c.let(f"load ptr, ptr {module.link('object:take')}")
    c.store(c.call("py:PyObject_CallObject", f"ptr {take}", f"ptr {of}"), array)
    c.go("made")
    for name, there in (("argument", "%held"), ("same", "%arrays")):
        c.lines.append(f"{name}:")
        old = c.load(c.entry(there, number))
        c.keep(old)
        c.do(f"ret ptr {old}")
    c.lines.append("constant:")
    c.keep(of)
    c.do(f"ret ptr {of}")
    c.lines.append("made:")
    made = c.load(array)
    c.leave(c.is_(made, "null", "ptr"), "failed")
    place = c.word("%result", RESULT["place"])
    data = c.load(made, layout().data)
    c.store(data, c.entry("%pointers", place))
    with c.when(reuses):
        donor = c.load(c.entry("%held", donor_number))
        with c.when(c.let(f"icmp ne ptr {donor}, {made}")):  # somebody else reads the memory
            given, size = c.load(donor, layout().data), c.word("%result", RESULT["bytes"])
            c.do(f"call void @llvm.memcpy.p0.p0.i64(ptr {data}, ptr {given}, i64 {size}, i1 false)")
    c.mark("failed")
    c.do(f"ret ptr {made}")
    c.function("internal ptr @allocate(ptr %result, ptr %held, ptr %arrays, ptr %pointers)")


def _sole(module: Module) -> None:
    """Whether nobody but an Array, and we, can read an array's memory."""
    c = Code(module)
    found = ownership()
    if found is None:
        c.do("ret i1 false")
    else:
        flags = c.let(f"and i32 {c.load('%array', layout().flags, 'i32')}, {WRITEABLE}")
        c.need(c.is_(flags, WRITEABLE, "i32"), "no")
        c.need(c.is_(c.load("%array", found.references, "i32"), 2, "i32"), "no")
        base = c.load("%array", found.base)
        c.leave(c.is_(base, "null", "ptr"), "yes")
        block = c.let(f"load ptr, ptr {module.link('object:Block')}")
        c.need(c.is_(c.load(base, layout().type), block, "ptr"), "no")
        c.need(
            c.is_(c.load(base, found.references, "i32"), 2, "i32"), "no"
        )  # the pool and the array
        c.mark("yes")
        c.do("ret i1 true")
        c.lines.append("no:")
        c.do("ret i1 false")
    c.function("internal i1 @sole(ptr %array)")


def _wrap(module: Module) -> None:
    """An Array of an ndarray, whose reference it takes over; null where memory is short."""
    value_at, aval_at = _slots()
    c = Code(module)
    type_ = c.let(f"load ptr, ptr {module.link('object:ArrayImpl')}")
    made = c.call("py:PyType_GenericAlloc", f"ptr {type_}", "i64 0")
    c.need(c.let(f"icmp ne ptr {made}, null"), "short")
    aval = c.load("%result", 8 * RESULT["aval"])
    c.keep(aval)
    c.store("%array", made, value_at)
    c.store(aval, made, aval_at)
    c.do(f"ret ptr {made}")
    c.lines.append("short:")
    c.drop("%array")
    c.do("ret ptr null")
    c.function("internal ptr @wrap(ptr %result, ptr %array)")


def _assemble(module: Module) -> None:
    """Results in their structure: a machine with a stack. Takes the references over."""
    c = Code(module)
    count, first = c.word("%table", WORD["parts"]), c.load("%table", 8 * WORD["parts_at"])
    stack = c.let(f"alloca ptr, i64 {count}")
    height, next_ = c.variable("i64", "0"), c.variable("i64", "0")
    made = c.variable("ptr", "null")
    with c.each(count) as i:
        part = c.entry(first, c.let(f"mul i64 {i}, {PART_WORDS}"))
        kind, size, extra = c.word(part, 0), c.word(part, 1), c.load(part, 16)
        before = c.let(f"sub i64 {c.load(height, 0, 'i64')}, {size}")
        children = c.entry(stack, before)
        prefix = c.label()
        names = ["leaf", "tuple", "list", "dict", "none", "named"]
        table = " ".join(f"i64 {n}, label %{prefix}{name}" for n, name in enumerate(names))
        after = f"{prefix}after"
        c.do(f"switch i64 {kind}, label %failed [ {table} ]")
        c.lines.append(f"{prefix}leaf:")
        number = c.load(next_, 0, "i64")
        c.store(c.let(f"add i64 {number}, 1"), next_, 0, "i64")
        c.store(c.load(c.entry("%values", number)), made)
        c.go(after)
        c.lines.append(f"{prefix}none:")
        none = c.let(f"load ptr, ptr {module.link('object:None')}")
        c.keep(none)
        c.store(none, made)
        c.go(after)
        for name, type_ in (("tuple", "Tuple"), ("list", "List"), ("named", "Tuple")):
            c.lines.append(f"{prefix}{name}:")
            new = c.call(f"py:Py{type_}_New", f"i64 {size}")
            c.leave(c.is_(new, "null", "ptr"), "failed")
            with c.each(size) as j:
                child = c.load(c.entry(children, j))
                c.call(
                    f"py:Py{type_}_SetItem", f"ptr {new}", f"i64 {j}", f"ptr {child}", result="i32"
                )
            if name == "named":
                whole = c.call("py:PyObject_CallObject", f"ptr {extra}", f"ptr {new}")
                c.drop(new)
                new = whole
                c.leave(c.is_(new, "null", "ptr"), "failed")
            c.store(new, made)
            c.go(after)
        c.lines.append(f"{prefix}dict:")
        new = c.call("py:PyDict_New")
        c.leave(c.is_(new, "null", "ptr"), "failed")
        with c.each(size) as j:
            key = c.call("py:PyTuple_GetItem", f"ptr {extra}", f"i64 {j}")
            child = c.load(c.entry(children, j))
            c.call("py:PyDict_SetItem", f"ptr {new}", f"ptr {key}", f"ptr {child}", result="i32")
            c.drop(child)
        c.store(new, made)
        c.mark(after)
        c.store(c.load(made), children)
        c.store(c.let(f"add i64 {before}, 1"), height, 0, "i64")
    c.do(f"ret ptr {c.load(stack)}")
    c.lines.append("failed:")
    c.do("ret ptr null")
    c.function("internal ptr @assemble(ptr %table, ptr %values)")


def _attempt(module: Module) -> None:
    """One table: the result, null with an exception set, or NotImplemented (borrowed)."""
    c = Code(module)
    refusal = c.let(f"load ptr, ptr {module.link('object:NotImplemented')}")
    c.need(c.is_("%count", c.word("%table", WORD["positional"])), "refuse")
    names = c.word("%table", WORD["names"])
    given = c.variable("i64", "0")
    with c.when(c.let("icmp ne ptr %names, null")):
        size = c.call("py:PyTuple_Size", "ptr %names", result="i64")
        c.store(size, given, 0, "i64")
    c.need(c.is_(c.load(given, 0, "i64"), names), "refuse")
    key_names = c.load("%table", 8 * WORD["key_names"])
    with c.each(names) as i:
        name = c.call("py:PyTuple_GetItem", "ptr %names", f"i64 {i}")
        c.need(c.is_(name, c.load(c.entry(key_names, i)), "ptr"), "refuse")
    checks, results = c.word("%table", WORD["checks"]), c.word("%table", WORD["results"])
    count = c.word("%table", WORD["pointers"])
    found, held = (c.let(f"alloca ptr, i64 {checks}") for _ in range(2))
    cells = c.let(f"alloca i64, i64 {checks}")
    arrays = c.let(f"alloca ptr, i64 {results}")
    pointers = c.let(f"alloca ptr, i64 {count}")
    module.memcpy()
    bytes_ = c.let(f"mul i64 {count}, 8")
    template = c.load("%table", 8 * WORD["pointers_at"])
    c.do(
        f"call void @llvm.memcpy.p0.p0.i64(ptr {pointers}, ptr {template}, i64 {bytes_}, i1 false)"
    )
    first_check = c.load("%table", 8 * WORD["checks_at"])
    with c.each(checks) as i:
        check = c.entry(first_check, c.let(f"mul i64 {i}, {CHECK_WORDS}"))
        object_ = c.let(f"call ptr @fetch(ptr {check}, ptr %args, ptr {found})")
        c.leave(c.is_(object_, "null", "ptr"), "absent")
        c.store(object_, c.entry(found, i))
        held_at = c.entry(held, i)
        c.store("null", held_at)
        c.need(
            c.let(
                f"call i1 @check(ptr {check}, ptr {object_}, ptr {pointers}, ptr {held_at}, "
                f"ptr {c.entry(cells, i)})"
            ),
            "refuse",
        )
    # nothing of the interpreter's has run so far; from here on arrays are held
    donates = c.let(f"icmp ne i64 {c.word('%table', WORD['donates'])}, 0")
    with c.when(donates):
        _no_duplicates(c, checks, held)
    with c.each(checks) as i:
        c.keep(c.load(c.entry(held, i)))
        with c.when(_donated(c, i)):
            c.keep(c.load(c.entry(found, i)))
    made = c.variable("i64", "0")
    arena_object, answer = c.variable("ptr", "null"), c.variable("ptr", "null")
    arena = c.variable("ptr", "null")
    _run(c, results, arrays, held, pointers, made, arena, arena_object)
    with c.each(results) as i:
        result = _result(c, i)
        array_at = c.entry(arrays, i)
        value = c.let(f"call ptr @wrap(ptr {result}, ptr {c.load(array_at)})")
        c.store(value, array_at)
    with c.each(results) as i:
        c.leave(c.is_(c.load(c.entry(arrays, i)), "null", "ptr"), "let_go")
    c.store(c.let(f"call ptr @assemble(ptr %table, ptr {arrays})"), answer)
    c.go("let_go")
    c.lines.append("fail:")
    with c.each(c.load(made, 0, "i64")) as i:
        c.drop(c.load(c.entry(arrays, i)))
    c.mark("let_go")
    with c.each(checks) as i:
        array = c.load(c.entry(held, i))
        c.drop(array)
        with c.when(_donated(c, i)):
            given = c.load(c.entry(found, i))
            at = c.at(given, _slots()[0])
            with c.when(c.is_(c.load(at), array, "ptr")):  # not deleted by anybody else meanwhile
                c.store("null", at)
                c.drop(array)
            c.drop(given)
    c.drop(c.load(arena_object))
    with c.when(c.is_(c.load(arena_object), "null", "ptr")):
        c.call("py:PyMem_RawFree", f"ptr {c.load(arena)}", result="void")
    c.do(f"ret ptr {c.load(answer)}")
    c.lines.append("absent:")
    c.call("py:PyErr_Clear", result="void")
    c.mark("refuse")
    c.do(f"ret ptr {refusal}")
    c.function("internal ptr @attempt(ptr %table, ptr %args, i64 %count, ptr %names)")


def _donated(c: Code, index: str) -> str:
    first = c.load("%table", 8 * WORD["checks_at"])
    check = c.entry(first, c.let(f"mul i64 {index}, {CHECK_WORDS}"))
    return c.let(f"icmp ne i64 {c.word(check, CHECK['donated'])}, 0")


def _no_duplicates(c: Code, checks: str, held: str) -> None:
    """Refuse where memory that is given away is also another argument."""
    with c.each(checks) as i:
        with c.when(_donated(c, i)):
            given = c.load(c.entry(held, i))
            with c.each(checks) as j:
                other = c.load(c.entry(held, j))
                here = c.let(f"icmp ne i64 {i}, {j}")
                both = c.let(f"and i1 {here}, {c.is_(given, other, 'ptr')}")
                c.leave(both, "refuse")


def _result(c: Code, index: str) -> str:
    first = c.load("%table", 8 * WORD["results_at"])
    return c.entry(first, c.let(f"mul i64 {index}, {RESULT_WORDS}"))


def _run(
    c: Code,
    results: str,
    arrays: str,
    held: str,
    pointers: str,
    made: str,
    arena: str,
    arena_object: str,
) -> None:
    """Allocate results and temporaries, and run the program."""
    with c.each(results) as i:
        array = c.let(
            f"call ptr @allocate(ptr {_result(c, i)}, ptr {held}, ptr {arrays}, ptr {pointers})"
        )
        c.leave(c.is_(array, "null", "ptr"), "fail")
        c.store(array, c.entry(arrays, i))
        c.store(c.let(f"add i64 {i}, 1"), made, 0, "i64")
    pooled, size = c.load("%table", 8 * WORD["arena"]), c.word("%table", WORD["arena_size"])
    with c.when(c.let(f"icmp ne ptr {pooled}, null")):
        take = c.let(f"load ptr, ptr {c.module.link('object:take')}")
        block = c.call("py:PyObject_CallObject", f"ptr {take}", f"ptr {pooled}")
        c.leave(c.is_(block, "null", "ptr"), "fail")
        c.store(block, arena_object)
        c.store(c.load(block, layout().data), arena)
    with c.when(c.let(f"icmp ne i64 {size}, 0")):
        block = c.call("py:PyMem_RawMalloc", f"i64 {size}")
        c.store(block, arena)
        with c.when(c.is_(block, "null", "ptr")):
            c.call("py:PyErr_NoMemory")
            c.go("fail")
    function = c.load("%table", 8 * WORD["function"])
    thread = c.variable("ptr", "null")
    releases = c.is_(c.word("%table", WORD["releases"]), 1)
    with c.when(releases):
        c.store(c.call("py:PyEval_SaveThread"), thread)
    status = c.let(f"call i32 {function}(ptr {pointers}, ptr {c.load(arena)})")
    with c.when(releases):
        c.call("py:PyEval_RestoreThread", f"ptr {c.load(thread)}", result="void")
    c.need(c.is_(status, 0, "i32"), "fail")


def _applies(module: Module) -> None:
    """Whether a call goes straight to the program: the evaluator is current, results are not
    inspected, all arrays are NumPy's, and the flags are those that the tables were made for."""
    c = Code(module)
    false, none = c.object("False"), c.object("None")
    c.need(c.is_(c.call("py:PyList_GetItem", *c.objects("watch"), "i64 0"), false, "ptr"), "no")
    several = c.call("py:PyDict_GetItemWithError", *c.objects("backends", "several"))
    c.need(c.is_(several, false, "ptr"), "no")
    trace = c.call("py:PyObject_GetAttr", *c.objects("state", "trace"))
    c.leave(c.is_(trace, "null", "ptr"), "lost")
    kind = c.load(trace, layout().type)
    c.drop(trace)
    c.need(c.is_(kind, c.object("EvalTrace"), "ptr"), "no")
    found = c.variable("ptr", "null")
    c.call("py:PyContextVar_Get", *c.objects("overrides"), "ptr null", f"ptr {found}", result="i32")
    overrides = c.load(found)
    c.leave(c.is_(overrides, "null", "ptr"), "lost")
    process = c.call("py:PyDict_GetItemWithError", *c.objects("config", "process_key"))
    with c.when(c.is_(overrides, none, "ptr")):
        c.drop(overrides)
        c.do(f"ret i1 {c.is_(process, '%flags', 'ptr')}")
    # flags that are set in this context, and the key that was made of them and the process's
    key = c.call("py:PyObject_GetAttr", f"ptr {overrides}", *c.objects("key"))
    seen = c.call("py:PyObject_GetAttr", f"ptr {overrides}", *c.objects("process"))
    for thing in (key, seen, overrides):
        c.drop(thing)
    c.leave(c.is_(key, "null", "ptr"), "lost")
    same = c.let(f"and i1 {c.is_(key, '%flags', 'ptr')}, {c.is_(seen, process, 'ptr')}")
    c.do(f"ret i1 {same}")
    c.lines.append("lost:")
    c.call("py:PyErr_Clear", result="void")
    c.mark("no")
    c.do("ret i1 false")
    c.function("internal i1 @applies(ptr %flags)")


def _call(module: Module) -> None:
    c = Code(module)
    refusal = c.object("NotImplemented")
    first = c.call("py:PyTuple_GetItem", "ptr %self", "i64 0")
    words = c.load(first, layout().data)
    flags = c.load(words, 8)
    c.need(c.let(f"call i1 @applies(ptr {flags})"), "refuse")
    tables = c.at(words, 16)
    with c.each(c.word(words, 0)) as i:
        table = c.load(c.entry(tables, i))
        result = c.let(f"call ptr @attempt(ptr {table}, ptr %args, i64 %count, ptr %names)")
        with c.when(c.let(f"icmp ne ptr {result}, {refusal}")):
            c.do(f"ret ptr {result}")
    c.mark("refuse")
    c.keep(refusal)
    c.do(f"ret ptr {refusal}")
    c.function("ptr @call(ptr %self, ptr %args, i64 %count, ptr %names)")
