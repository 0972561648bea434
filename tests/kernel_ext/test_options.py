"""Options in front, the rest of the line as typed."""

import pytest
from IPython.core.error import UsageError
from IPython.core.magic_arguments import argument, magic_arguments

from adlib_kernel.options import help_text, option_strings, parse, stored_name


@magic_arguments()
@argument("-n", "--number", type=int, help="how many")
@argument("rest", nargs="...", metavar="call", help="the call")
def sample(line):
    """Do something."""


@pytest.mark.parametrize(
    ("line", "number", "rest"),
    [
        ("", None, ""),
        ("f(x, -1.0)", None, "f(x, -1.0)"),
        ("-n 3 f('a  b',  -1)  ", 3, "f('a  b',  -1)"),
        ("  --number=4   f( x )", 4, "f( x )"),
        ("f(x) -n 3", None, "f(x) -n 3"),
    ],
)
def test_the_rest_is_a_slice_of_the_line(line, number, rest):
    options, raw = parse(sample, line)
    assert (options.number, raw) == (number, rest)


def test_unknown_options_get_a_suggestion():
    with pytest.raises(UsageError) as caught:
        parse(sample, "--numbr 3 f(x)")
    assert str(caught.value) == (
        "%sample: there is no option --numbr. Did you mean --number? %sample -h lists the options."
    )
    with pytest.raises(UsageError, match="there is no option --zzz. %sample -h lists"):
        parse(sample, "--zzz f(x)")


def test_the_parser_tells_its_options():
    assert option_strings(sample) == ["-n", "--number"]
    assert help_text(sample).startswith("%sample [-n NUMBER]")


def test_names_for_results():
    assert stored_name(None) is None and stored_name("g") == "g"
    with pytest.raises(UsageError, match="-o wants the name of a variable.*'2g' is not a name"):
        stored_name("2g")
