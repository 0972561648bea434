"""Letter widths, and colours that can be told apart from their ground."""

from adlib_widgets import theme


def luminance(color: str) -> float:
    parts = [int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(first: str, second: str) -> float:
    light, dark = sorted((luminance(first), luminance(second)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def test_texts_have_the_contrast_that_wcag_asks_for():
    fills = [theme.GROUND, theme.INPUT.fill, theme.CONSTANT.fill, theme.OUTPUT.fill]
    fills += [theme.EQUATION.fill, theme.UNREAD.fill, *(s.fill for s in theme.CONTAINERS)]
    for ink in (theme.INK, theme.MUTED, theme.VALUE):
        assert min(contrast(ink, fill) for fill in fills) >= 4.5


def test_links_and_outlines_stand_out_from_the_ground():
    for style in (theme.INPUT, theme.OUTPUT, theme.EQUATION, theme.CONSTANT):
        assert contrast(style.stroke, theme.GROUND) >= 3
    assert contrast(theme.EDGE, theme.GROUND) >= 3


def test_wide_letters_count_twice_and_accents_nothing():
    assert theme.text_width("漢字", 10) == 2 * theme.text_width("ab", 10)
    assert theme.text_width("e\u0301", 10) == theme.text_width("e", 10)
