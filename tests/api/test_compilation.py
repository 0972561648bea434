"""jit, make_jaxpr and eval_shape."""

import collections
import gc
import weakref

import numpy as np
import pytest

import adlib
import adlib.numpy as jnp
from adlib import jit, make_jaxpr

Point = collections.namedtuple("Point", "x y")


def counted(f):
    calls = []

    def g(*args, **kwargs):
        calls.append(1)
        return f(*args, **kwargs)

    return g, calls


def test_traced_once_for_each_signature():
    f, calls = counted(lambda x, y: x * y)
    g = jit(f)
    for _ in range(3):
        g(jnp.ones(3), 2.0)
    assert len(calls) == 1
    g(jnp.ones(4), 2.0)
    assert len(calls) == 2
    g(jnp.ones(3, jnp.int32), 2.0)
    assert len(calls) == 3
    g(jnp.ones(4), 5.0)  # a new value is no new signature
    assert len(calls) == 3


def test_a_flag_that_changes_programs_is_part_of_the_signature():
    f, calls = counted(lambda x: x + jnp.arange(2.0))
    g = jit(f)
    assert g(1.0).dtype == np.float32
    with adlib.enable_x64():
        assert g(1.0).dtype == np.float64
    assert g(1.0).dtype == np.float32
    assert len(calls) == 2


def test_static_arguments_by_position_and_name():
    f, calls = counted(lambda x, n, flag=True: x * n if flag else x)

    def static(x, n, flag=True):
        return f(x, n, flag)

    g = jit(static, static_argnums=1, static_argnames="flag")
    assert float(g(2.0, 3)) == 6.0
    assert float(g(2.0, n=3)) == 6.0
    assert float(g(2.0, 3, flag=False)) == 2.0
    assert float(g(2.0, 4)) == 8.0
    assert float(g(5.0, 4)) == 20.0
    assert len(calls) <= 4


def test_as_a_decorator_with_options():
    @adlib.jit
    def f(x):
        return x + 1

    from functools import partial

    @partial(jit, static_argnums=(1,), donate_argnums=(0,))
    def g(x, n):
        return x**n

    assert float(f(1.0)) == 2.0 and f.__name__ == "f"
    assert float(g(3.0, 2)) == 9.0


def test_pytrees_go_in_and_come_out():
    def f(p, d):
        return Point(p.y, p.x), {"sum": d["a"] + d["b"][0], "none": None}

    (y, x), d = jit(f)(Point(1.0, jnp.ones(2)), {"a": 2.0, "b": [3.0]})
    assert x == 1.0 and y.shape == (2,) and float(d["sum"]) == 5.0 and d["none"] is None
    assert isinstance(jit(f)(Point(1.0, 2.0), {"a": 2.0, "b": [3.0]})[0], Point)


def test_methods_can_be_jitted():
    class Layer:
        def __init__(self, w):
            self.w = w

        @jit
        def apply(self, x):
            return x * 2.0

    with pytest.raises(TypeError, match="Layer"):
        Layer(2.0).apply(1.0)


def test_a_closed_over_tracer_is_an_argument_of_that_call_only():
    def outer(a):
        inner = jit(lambda x: a * x)
        return inner(2.0) + inner(3.0)

    assert float(adlib.grad(outer)(4.0)) == 5.0
    shared = jit(lambda x: jnp.sin(x))
    assert float(adlib.grad(lambda a: shared(a) * a)(0.0)) == 0.0


def test_nested_jits_stay_one_equation():
    inner = jit(lambda x: jnp.sin(x) * 2.0)
    jaxpr = make_jaxpr(jit(lambda x: inner(x) + 1.0))(1.0)
    (outer,) = jaxpr.eqns
    assert outer.primitive.name == "jit"
    names = [e.primitive.name for e in outer.params["jaxpr"].eqns]
    assert names == ["jit", "add"]


def test_disable_jit_runs_the_function_itself():
    f, calls = counted(lambda x: 1.0 if x > 0 else 2.0)
    with adlib.disable_jit():
        assert jit(f)(3.0) == 1.0
        assert jit(f)(3.0) == 1.0
    assert len(calls) == 2


def test_results_do_not_alias_what_the_user_may_change():
    a = np.ones(3, np.float32)
    out = jit(lambda x: x)(a)
    a[0] = 7.0
    assert out.tolist() == [1.0, 1.0, 1.0]


def test_side_effects_happen_while_tracing_only():
    seen = []
    g = jit(lambda x: seen.append("traced") or x)
    g(1.0), g(2.0)
    assert seen == ["traced"]


def test_clear_caches_forgets_traces():
    f, calls = counted(lambda x: x)
    g = jit(f)
    g(1.0)
    adlib.clear_caches()
    g(1.0)
    assert len(calls) == 2
    del g
    adlib.clear_caches()
    jit(f)(1.0)
    assert len(calls) == 3


def test_exceptions_pass_through_and_nothing_is_kept():
    def bad(x):
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        jit(bad)(1.0)
    assert float(jit(lambda x: x)(1.0)) == 1.0


def test_eval_shape_computes_nothing():
    out = adlib.eval_shape(
        lambda x: {"y": x @ x.T, "n": 1}, adlib.ShapeDtypeStruct((100_000, 3), "float32")
    )
    assert out["y"].shape == (100_000, 100_000) and out["y"].dtype == np.float32
    assert out["n"].dtype == np.int32


# Text of jaxprs, as the field prints them.
PRINTED = [
    (lambda x: jnp.sin(x), (1.0,), "{ lambda ; a:f32[]. let b:f32[] = sin a in (b,) }"),
    (lambda x: x, (1.0,), "{ lambda ; a:f32[]. let  in (a,) }"),
    (lambda x: -jnp.sin(x), (1.0,),
     "{ lambda ; a:f32[]. let b:f32[] = sin a; c:f32[] = neg b in (c,) }"),
    (lambda x: (1, x.astype(int)), (1.0,),
     "{ lambda ; a:f32[]. let\n"
     "    b:i32[] = convert_element_type[new_dtype=int32 weak_type=False] a\n"
     "  in (1:i32[], b) }"),
    (lambda x, b: x + b * 2.0 + 1, (np.ones((3, 5), "f"), np.ones(5, "f")),
     "{ lambda ; a:f32[3,5] b:f32[5]. let\n"
     "    c:f32[5] = mul b 2.0:f32[]\n"
     "    d:f32[1,5] = broadcast_in_dim[broadcast_dimensions=(1,)] c\n"
     "    e:f32[3,5] = add a d\n"
     "    f:f32[3,5] = add e 1.0:f32[]\n"
     "  in (f,) }"),
    (lambda x: adlib.jit(lambda y: y)(x), (1.0,),
     "{ lambda ; a:f32[]. let\n"
     "    b:f32[] = jit[name=<lambda> jaxpr={ lambda ; a:f32[]. let  in (a,) }] a\n"
     "  in (b,) }"),
    (lambda x: adlib.lax.scan(lambda c, y: (c + y, c * y), x[0], x), (np.ones((3, 5), "f"),),
     "{ lambda ; a:f32[3,5]. let\n"
     "    b:f32[1,5] = slice[limit_indices=(1, 5) start_indices=(0, 0) strides=None] a\n"
     "    c:f32[5] = squeeze[dimensions=(0,)] b\n"
     "    d:f32[5] e:f32[3,5] = scan[\n"
     "      jaxpr={ lambda ; f:f32[5] g:f32[5]. let\n"
     "          h:f32[5] = add f g\n"
     "          i:f32[5] = mul f g\n"
     "        in (h, i) }\n"
     "      length=3\n      num_carry=1\n      num_consts=0\n      reverse=False\n"
     "      unroll=1\n"
     "    ] c a\n"
     "  in (d, e) }"),
    (lambda x: adlib.lax.while_loop(lambda c: c[0] < 3, lambda c: (c[0] + 1, c[1] * 2), (0, x)),
     (np.ones((3, 5), "f"),),
     "{ lambda ; a:f32[3,5]. let\n"
     "    b:i32[] c:f32[3,5] = while[\n"
     "      body_jaxpr={ lambda ; d:i32[] e:f32[3,5]. let\n"
     "          f:i32[] = add d 1:i32[]\n"
     "          g:f32[3,5] = mul e 2.0:f32[]\n"
     "        in (f, g) }\n"
     "      body_nconsts=0\n"
     "      cond_jaxpr={ lambda ; h:i32[] i:f32[3,5]. let\n"
     "          j:bool[] = lt h 3:i32[]\n"
     "        in (j,) }\n"
     "      cond_nconsts=0\n"
     "    ] 0:i32[] a\n"
     "  in (b, c) }"),
    (lambda x: adlib.lax.cond(x[0] > 0, jnp.sin, jnp.cos, x), (np.ones(5, "f"),),
     "{ lambda ; a:f32[5]. let\n"
     "    b:f32[1] = slice[limit_indices=(1,) start_indices=(0,) strides=None] a\n"
     "    c:f32[] = squeeze[dimensions=(0,)] b\n"
     "    d:bool[] = gt c 0.0:f32[]\n"
     "    e:i32[] = convert_element_type[new_dtype=int32 weak_type=False] d\n"
     "    f:f32[5] = cond[\n"
     "      branches=(\n"
     "        { lambda ; g:f32[5]. let h:f32[5] = cos g in (h,) }\n"
     "        { lambda ; i:f32[5]. let j:f32[5] = sin i in (j,) }\n"
     "      )\n"
     "    ] e a\n"
     "  in (f,) }"),
    (adlib.vmap(lambda x: jnp.dot(x, x)), (np.ones((3, 5), "f"),),
     "{ lambda ; a:f32[3,5]. let\n"
     "    b:f32[3] = dot_general[\n"
     "      dimension_numbers=(([1], [1]), ([0], [0]))\n"
     "      preferred_element_type=float32\n"
     "    ] a a\n"
     "  in (b,) }"),
    (adlib.grad(lambda x: jnp.log(1.0 + jnp.exp(x))), (100.0,),
     "{ lambda ; a:f32[]. let\n"
     "    b:f32[] = exp a\n"
     "    c:f32[] = add 1.0:f32[] b\n"
     "    _:f32[] = log c\n"
     "    d:f32[] = div 1.0:f32[] c\n"
     "    e:f32[] = mul d b\n"
     "  in (e,) }"),
    (adlib.checkpoint(jnp.sin), (1.0,),
     "{ lambda ; a:f32[]. let\n"
     "    b:f32[] = remat2[\n"
     "      differentiated=False\n"
     "      jaxpr={ lambda ; c:f32[]. let d:f32[] = sin c in (d,) }\n"
     "      policy=None\n"
     "      prevent_cse=True\n"
     "    ] a\n"
     "  in (b,) }"),
    (lambda x: jit(jnp.cos)(jit(jnp.cos)(x)), (1.0,), None),
]  # fmt: skip


@pytest.mark.parametrize("f, args, text", PRINTED)
def test_printed_form(f, args, text):
    printed = str(make_jaxpr(f)(*args))
    if text is not None:
        assert printed == text


def test_repeated_calls_are_printed_once():
    f = jit(jnp.cos)
    text = str(make_jaxpr(lambda x: f(f(x)))(1.0))
    assert text.startswith("let cos = { lambda ; a:f32[]. let b:f32[] = cos a in (b,) } in\n")
    assert text.count("= cos a") == 1 and text.count("jit[name=cos jaxpr=cos]") == 2


def test_many_variables_are_named_in_base_26():
    text = str(make_jaxpr(lambda *x: sum(x))(*range(27)))
    assert " z:i32[] ba:i32[]" in text
    assert all(len(line) <= 90 for line in text.split("\n"))


def test_equations_know_the_users_line():
    def f(x):
        y = jnp.sin(x)  # the line in question
        return y * 2.0

    jaxpr = make_jaxpr(adlib.grad(f))(1.0)
    lines = {e.primitive.name: e.source for e in jaxpr.eqns}
    assert lines["cos"].text() == "y = jnp.sin(x)  # the line in question"
    assert lines["cos"].summary().startswith("test_compilation.py:")
    assert lines["cos"].function.endswith("f")


def test_static_arguments_of_make_jaxpr():
    jaxpr = make_jaxpr(lambda n, x: x**n, static_argnums=0)(3, 2.0)
    assert jaxpr.eqns[0].params["y"] == 3
    assert len(jaxpr.in_avals) == 1


def test_return_shape():
    _, shape = make_jaxpr(lambda x: {"a": x[0]}, return_shape=True)(jnp.ones((2, 3)))
    assert shape["a"] == adlib.ShapeDtypeStruct((3,), "float32")


def test_axis_env():
    jaxpr = make_jaxpr(lambda x: adlib.lax.psum(x, "i"), axis_env=[("i", 4)])(jnp.ones(3))
    assert jaxpr.eqns[0].primitive.name == "psum"


def test_equal_static_values_of_different_types_are_different_constants():
    g = jit(lambda x, flag: x * 2 if flag is True else x * 3, static_argnums=1)
    assert [float(g(1.0, v)) for v in (1, True, 1.0)] == [3.0, 2.0, 3.0]


def test_results_without_leaves():
    g = jit(lambda x: None)
    assert [g(jnp.ones(2)) for _ in range(3)] == [None, None, None]
    assert [jit(lambda x: ())(1.0) for _ in range(2)] == [(), ()]


def test_debug_nans_finds_the_operation_inside_a_jitted_function():
    with adlib.debug_nans(), pytest.raises(FloatingPointError, match=r"\(nan\) encountered in log"):
        jit(lambda x: jnp.log(x) * 2.0)(-1.0)


def test_a_function_that_is_jitted_again_is_not_traced_again():
    runs = []

    def f(x, n=1):
        runs.append(n)
        return x * n

    for _ in range(3):
        assert adlib.jit(f)(2.0) == 2
    assert runs == [1]
    # another choice of static arguments is another function
    for _ in range(2):
        assert adlib.jit(f, static_argnums=1)(2.0, 3) == 6
    assert runs == [1, 3]
    first, second = adlib.jit(f), adlib.jit(f)
    first.clear_cache()
    second(2.0)
    assert runs == [1, 3, 1]


def test_traces_live_as_long_as_their_function():
    def f(x):
        return x + 1

    assert adlib.jit(f)(1.0) == 2
    alive = weakref.ref(f)
    del f
    gc.collect()
    assert alive() is None


def test_jit_of_what_cannot_be_hashed():
    class Unhashable:
        __hash__ = None

        def __call__(self, x):
            return x + 1

    assert adlib.jit(Unhashable())(1.0) == 2
