"""show_derivation: what it shows, and that it is safe to show."""

import dataclasses
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest

import adlib.numpy as jnp
from adlib.inspect import FusedRecord
from adlib_widgets import DerivationView, show_derivation
from adlib_widgets.derivation_groups import tracks, words
from adlib_widgets.derivation_scene import derivation_scene

SPACE = "{http://www.w3.org/2000/svg}"


def wave(x):
    y = jnp.sin(x)
    return jnp.exp(y * x) + y


def rows(svg):
    """Each text with its place."""
    found = ElementTree.fromstring(svg).iter(SPACE + "text")
    return [(e.text, float(e.get("x")), float(e.get("y"))) for e in found]


def test_what_comes_from_one_equation_stands_in_one_band():
    found = rows(show_derivation(wave)(1.0).svg)
    (band,) = [y for text, _, y in found if text == "exp_0"]
    exps = [y for text, _, y in found if text == "d = exp c"]
    assert len(exps) == 3 and all(abs(y - band) < 25 for y in exps)
    (back,) = [y for text, _, y in found if text == "c̄ = ē · d"]
    assert abs(back - band) < 25


def test_the_transpose_is_read_upwards():
    found = {text: y for text, _, y in rows(show_derivation(wave)(1.0).svg)}
    assert found["c̄ = ē · d"] > found["b̄ = ē + t5"] > found["ā = t4 + t6"]
    assert "↑ cotangents, last to first" in found and "in: a = x" in found


def test_a_sum_passes_its_cotangent_on():
    found = rows(show_derivation(wave)(1.0).svg)
    (band,) = [y for text, _, y in found if text == "add_0"]
    (passed,) = [y for text, _, y in found if text == "passed on unchanged"]
    assert abs(passed - band) < 20


def test_a_notebook_gets_text_and_html_without_scripts():
    view = show_derivation(wave)(1.0)
    bundle = view._repr_mimebundle_()
    assert set(bundle) == {"text/plain", "text/html"}
    html = bundle["text/html"]
    assert "data:image/svg+xml;base64," in html and "<table" in html
    for word in ("<script", "<style", "<svg", " onload"):
        assert word not in html
    assert 'alt="grad of a program with 4 equations: f 4, jvp 11' in html
    assert set(view._repr_mimebundle_(exclude={"text/html"})) == {"text/plain"}


def test_the_text_lists_the_programs():
    text = repr(show_derivation(wave, "linearize")(1.0))
    assert text.startswith(
        "linearize of a program with 4 equations: f 4, jvp 11, known 5, unknown 6."
    )
    assert "known (a) → (e, t1, a, b, d)   runs now, keeps residuals" in text
    assert "  ċ = t2 + t3   ← mul_0" in text


@pytest.mark.parametrize("kind", ["jvp", "linearize", "grad", "jit"])
def test_two_views_are_the_same_bytes(kind):
    first, second = (show_derivation(wave, kind)(1.0) for _ in range(2))
    assert first.html == second.html and repr(first) == repr(second)


def test_texts_fit_into_the_picture():
    view = show_derivation(lambda w, x: jnp.tanh(w @ x).sum())(np.ones((2, 3)), np.ones(3))
    root = ElementTree.fromstring(view.svg)
    for rect in root.iter(SPACE + "rect"):
        assert float(rect.get("x")) + float(rect.get("width")) <= float(root.get("width"))


def test_a_long_program_is_cut_in_the_picture_and_whole_below():
    def long(x):
        for _ in range(200):
            x = jnp.sin(x)
        return x

    view = show_derivation(long, "jvp")(1.0)
    assert any("80 more equations" in text for text, _, _ in rows(view.svg))
    assert view.html.count("sin_199") >= 2 and "<pre" in view.html
    assert len(view.html) < 400_000


def test_jit_says_what_the_compiler_did_and_what_is_fused():
    def f(x):
        jnp.cos(x)
        return jnp.tanh(jnp.sin(x) * 1.0 + jnp.sin(x)).sum()

    view = show_derivation(f, "jit")(np.ones(7))
    texts = [text for text, _, _ in rows(view.svg)]
    for told in (
        "optimised",
        "removed: nothing reads its result",
        "removed: x · 1 is x",
        "merged with sin_0",
        "computed together",
    ):
        assert told in texts, told
    assert any(text.startswith("one loop over 7 (steps 1–4): 4 equations") for text in texts)
    assert "3 passes of the compiler" in view.html and "sin_1 merged with sin_0" in view.html
    assert "  merge common equations   5 → 4 equations: 1 merged" in str(view)


def test_tracks_that_overlap_run_side_by_side():
    groups = [
        FusedRecord("loop", "a", "", (1, 3)),
        FusedRecord("loop", "b", "", (2, 4)),
        FusedRecord("call", "c", "", (5,)),
        FusedRecord("view", "d", "", (6,)),
    ]
    order = {step: step for step in range(1, 7)}
    assert tracks(groups, order) == {1: 0, 2: 1, 3: 0}
    assert words(FusedRecord("loop", "a loop", "so", (1, 2, 3, 7))) == "a loop (steps 1–3, 7): so"


def test_every_text_is_escaped(nasty):
    record = show_derivation(wave)(1.0).record
    origins = tuple(dataclasses.replace(o, id=nasty, source=nasty) for o in record.origins)
    programs = tuple(
        dataclasses.replace(
            p,
            title=nasty,
            note=nasty,
            inputs=(nasty,),
            outputs=(nasty,),
            lines=tuple(dataclasses.replace(x, text=nasty, type=nasty) for x in p.lines),
        )
        for p in record.programs
    )
    bad = dataclasses.replace(record, origins=origins, programs=programs, arguments=(nasty,))
    view = DerivationView(bad)
    ElementTree.fromstring(view.svg)
    assert "<script" not in view.svg and "<script" not in view.html


def test_equations_without_an_origin_have_a_band_of_their_own():
    record = show_derivation(wave, "jvp")(1.0).record
    program = record.programs[1]
    lost = tuple(dataclasses.replace(line, origin=-1) for line in program.lines)
    scene = derivation_scene(
        dataclasses.replace(
            record, programs=(record.programs[0], dataclasses.replace(program, lines=lost))
        )
    )
    assert any(getattr(shape, "text", "") == "no one equation" for shape in scene.shapes)


def test_what_the_function_raises_comes_through():
    def broken(x):
        raise ZeroDivisionError("mine")

    with pytest.raises(ZeroDivisionError, match="^mine$"):
        show_derivation(broken)(1.0)


def test_another_process_draws_the_same_bytes(run_python):
    code = (
        "import numpy as np, adlib.numpy as jnp, hashlib, adlib_widgets as w\n"
        "def f(x): return (jnp.tanh(jnp.sin(x) * x) ** 2).sum()\n"
        "x = np.ones(3, np.float32)\n"
        "pages = w.show_derivation(f)(x).html + w.show_jacobian(jnp.diff)(x).html\n"
        "print(hashlib.sha256(pages.encode()).hexdigest())"
    )
    assert run_python(code) == run_python(code)
