"""Saved pages: whole, and with every text in its place."""

import json
import re

import pytest

from adlib_widgets.page import standalone


def state_of(page):
    (text,) = re.findall(r'<script type="application/json" id="state">(.*?)</script>', page)
    return json.loads(text)


def test_a_page_has_script_style_and_state():
    page = standalone("flow", {"step": 1}, title="a title")
    assert page.startswith("<!doctype html>") and "<title>a title</title>" in page
    assert "const standaloneView = {" in page and "standaloneView.render(" in page
    assert ".adlib-view" in page and state_of(page) == {"step": 1}


def test_nothing_ends_an_element_early(nasty):
    state = {"data": {"name": f"</script><script>alert(1)</script>{nasty[:-1]}"}}
    page = standalone("flow", state, title="</title><script>alert(2)</script>")
    assert state_of(page) == state
    assert page.count("<script") == 2 == page.count("</script>")
    assert "alert(2)" in page and "<script>alert" not in page


def test_the_same_state_gives_the_same_bytes():
    first = standalone("flow", {"a": 1, "b": 2}, title="t")
    assert first == standalone("flow", {"b": 2, "a": 1}, title="t")


def test_numbers_that_json_lacks_are_refused():
    with pytest.raises(ValueError, match="JSON"):
        standalone("flow", {"a": float("nan")}, title="t")
