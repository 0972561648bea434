"""A program in modules: what is optimised, what is written as it should be, and the rest."""

from __future__ import annotations

import ctypes

import numpy as np
import pytest

import adlib
import adlib.numpy as jnp
from adlib.compile import engine
from adlib.compile.program import Compiled
from adlib.compile.splitting import split

needs_llvm = pytest.mark.skipif(not engine.available(), reason="needs llvmlite")

TEXT = """declare double @llvm.sqrt.f64(double)
declare double @llvm.fabs.f64(double)
@links = global [2 x ptr] zeroinitializer
@table0 = private unnamed_addr constant [2 x double] [double 2.0, double 3.0]
define internal double @root(double %x, ptr noalias %p) noinline nounwind {
entry:
  %r = call double @llvm.sqrt.f64(double %x)
  store double %r, ptr %p
  ret double %r
}

define internal double @own(double %x) nounwind {
entry:
  %y = fadd double %x, 1.0
  ret double %y
}

define internal double @size(double %x) noinline optnone nounwind {
entry:
  %r = call double @llvm.fabs.f64(double %x)
  ret double %r
}

define internal double @both(double %x, ptr %p) noinline nounwind {
entry:
  %z = call double @size(double %x)
  %y = call double @own(double %z)
  %r = call double @root(double %y, ptr %p)
  ret double %r
}

define double @run(double %x, ptr %p) noinline optnone nounwind {
entry:
  %link = load ptr, ptr getelementptr (ptr, ptr @links, i64 1)
  %t = load double, ptr getelementptr (double, ptr @table0, i64 1)
  %b = call double @both(double %x, ptr %p)
  %r = fadd double %b, %t
  ret double %r
}

!0 = distinct !{!0, !1}
!1 = !{!"llvm.loop.unroll.disable"}
"""


def definitions(text):
    return [line.split("@")[1].split("(")[0] for line in text.splitlines() if "define " in line]


def test_functions_go_where_they_belong():
    first, written, second = split(TEXT)
    assert written == ""
    assert definitions(first) == ["root", "own", "both"]
    assert definitions(second) == ["size", "run"]


def test_what_the_other_module_calls_is_visible_and_declared():
    first, written, second = split(TEXT)
    assert written == ""
    assert "define hidden double @both(double %x, ptr %p) noinline nounwind {" in first
    assert "define internal double @own(" in first and "define internal double @root(" in first
    assert "declare double @size(double)" in first
    assert "define hidden double @size(" in second
    assert "declare double @both(double, ptr)" in second
    assert "@own" not in second and "@root" not in second
    assert "define double @run(" in second


def test_what_both_need_stands_once_or_in_both():
    first, written, second = split(TEXT)
    assert written == ""
    assert "@links" not in first
    assert "@links = global [2 x ptr] zeroinitializer" in second
    assert "@table0" not in first and "@table0 = private" in second
    assert "declare double @llvm.sqrt.f64" in first and "sqrt" not in second
    assert "declare double @llvm.fabs.f64" in second and "fabs" not in first
    assert "!1 = " in first and "!1 = " in second


def test_links_that_the_first_uses_are_declared_there():
    text = TEXT.replace(
        "  %y = fadd double %x, 1.0", "  %l = load ptr, ptr @links\n  %y = fneg double %x"
    )
    first, _, second = split(text)
    assert "@links = external global [2 x ptr]" in first
    assert "@links = global [2 x ptr]" in second


def test_functions_that_are_written_as_they_should_be_stand_alone():
    text = TEXT.replace(
        "@root(double %x, ptr noalias %p) noinline nounwind",
        '@root(double %x, ptr noalias %p) noinline "written" nounwind',
    )
    first, written, second = split(text)
    assert definitions(first) == ["own", "both"]
    assert definitions(written) == ["root"]
    assert definitions(second) == ["size", "run"]
    assert "define hidden double @root(" in written and "sqrt" in written
    assert "declare double @root(double, ptr)" in first and "root" not in second
    assert "@links" not in written


def test_one_module_where_nothing_is_to_be_cut():
    plain = TEXT.replace(" optnone", "")
    assert split(plain) == (plain, "", "")
    none = TEXT.replace("nounwind {", "optnone nounwind {").replace("optnone optnone", "optnone")
    assert split(none) == ("", "", none)
    assert split("") == ("", "", "")
    variables = TEXT.replace("@table0 =", "@count = internal global i64 0\n@table0 =")
    assert split(variables) == (variables, "", "")


@needs_llvm
def test_both_modules_are_one_program():
    code = engine.object_code(TEXT)
    assert len(list(engine._objects(code))) == 2
    loaded = engine.load(code, ["run", "links"])
    run = ctypes.CFUNCTYPE(ctypes.c_double, ctypes.c_double, ctypes.c_void_p)(
        loaded.addresses["run"]
    )
    place = ctypes.c_double()
    assert run(-8.0, ctypes.addressof(place)) == 6.0 and place.value == 3.0


@needs_llvm
def test_programs_are_cut():
    """Entries and lists of calls are not optimised, nor the exact side of rare cases."""
    closed = adlib.make_jaxpr(lambda x: jnp.sum(jnp.sin(x)))(jnp.ones(50_000))
    compiled = Compiled(closed)
    first, written, second = split(compiled.llvm)
    assert first == ""
    assert any(name.endswith("_quick") for name in definitions(written))
    assert any(name.endswith("_exact") for name in definitions(second))
    assert "run_segment0" in definitions(second) and "segment0" in definitions(second)
    x = np.linspace(-3, 1e6, 50_000, dtype=np.float32)  # the exact side too
    np.testing.assert_allclose(
        compiled.function(x)[0], np.sin(x.astype(np.float64)).sum(), rtol=1e-4, atol=0.05
    )
