"""The magics as a student types them: results, stored names, help and mistakes."""

import pytest

import adlib
from adlib_kernel.actions import exercises
from adlib_kernel.catalogue import CATALOGUE


@pytest.fixture
def shell(ipython):
    ipython.run("import numpy as np, adlib, adlib.numpy as jnp")
    ipython.run("def f(x, y):\n    return jnp.sin(x) * y")
    ipython.run("x, y = 1.0, np.array([1.0, 2.0])")
    return ipython


# --- %%grad -------------------------------------------------------------------------------


def test_grad_shows_value_and_gradients(shell):
    result = shell.run("%%grad x y\nr = f(x, y)\nr.sum()")
    assert repr(result) == (
        "value  2.52441              f32[]\n"
        "d/dx   1.62091              f32[]\n"
        "d/dy   [0.841471, 0.841471]  f32[2]"
    ).replace("2.52441              ", "2.52441               ").replace(
        "1.62091              ", "1.62091               "
    )
    assert set(result.gradients) == {"x", "y"} and float(result["x"]) == pytest.approx(1.6209069)


def test_grad_leaves_the_users_names_alone(shell):
    before = dict(shell.names)
    shell.run("%%grad x\nr = x * 2.0\nr * r")
    assert shell.names["x"] is before["x"] and "r" not in shell.names


def test_grad_restores_the_variables_when_the_cell_raises(shell):
    kind, _ = shell.error("%%grad x\nz = x * 2.0\nraise KeyError('mine')\nz")
    assert kind == "KeyError" and shell.names["x"] == 1.0


def test_grad_reaches_functions_that_read_the_variable_themselves(shell):
    shell.run("def loss():\n    return x * x")
    assert float(shell.run("%%grad x\nloss()")["x"]) == 2.0


def test_grad_stores_its_result(shell):
    shell.run("%%grad x -o g\nx * x")
    assert float(shell.names["g"]["x"]) == 2.0


def test_grad_checks_against_differences(shell):
    result = shell.run("%%grad --check x y\nf(x, y).sum()")
    assert [check.agrees for check in result.checks.values()] == [True, True]
    assert repr(result).count("agrees with finite differences") == 2


def test_grad_shows_graph_and_flow(shell):
    result = shell.run("%%grad --graph --flow x y\nz = jnp.sin(x)\n(z * y).sum()")
    assert result.graph is not None and len(result.flow.record.steps) == 4
    assert "forward sweep" in repr(result) and "{ lambda" in repr(result)
    html = result._repr_mimebundle_()["text/html"]
    assert result.graph.html in html and result.flow.html in html
    line = shell.run("%grad --flow f(x, 2.0)")
    assert line.graph is None
    assert "reverse sweep" in repr(line)


def test_grad_of_comprehensions_and_inner_functions(shell):
    cell = "%%grad x\nw = [2.0, 3.0]\ndef g(t):\n    return t * w[0]\nsum([g(x) * v for v in w])"
    assert float(shell.run(cell)["x"]) == 10.0


def test_errors_in_a_cell_name_its_line(shell):
    kind, shown = shell.error("%%grad x\nz = x * 2.0\nz + undefined_name")
    assert kind == "NameError" and "undefined_name" in shown and "line 3" in shown
    assert "magics.py" not in shown and "expressions.py" not in shown


@pytest.mark.parametrize(
    ("cell", "message"),
    [
        (
            "%%grad\nx * x",
            "%%grad wants the names of the variables to differentiate with respect to",
        ),
        ("%%grad x,y\nx * x", "'x,y' is not a name. Without commas: %%grad x y"),
        ("%%grad xx\nx * x", "there is no variable xx. Did you mean x?"),
        ("%%grad weights\n1.0", "there is no variable weights. Set it first: weights = …"),
        ("%%grad x x\nx * x", "x is named twice; once is enough."),
        ("%%grad x\nz = x * x", "this one is a statement: z = x * x. Add a last line: z"),
        ("%%grad x\nx = 3.0\nx * x", "line 2 gives x a new value"),
        ("%%grad x\n# nothing", "the expression to differentiate; this cell is empty."),
        ("%%grad x --chek\nx", "there is no option --chek. Did you mean --check?"),
        ("%%grad x -o 1g\nx", "'1g' is not a name"),
    ],
)
def test_mistakes_in_grad_are_explained_without_a_traceback(shell, cell, message):
    kind, shown = shell.error(cell)
    assert kind == "UsageError" and message in shown
    assert "Traceback" not in shown


# --- %jaxpr -------------------------------------------------------------------------------


def test_jaxpr_shows_text_graph_and_table(shell):
    view = shell.run("%jaxpr f(x, 2.0)")
    assert repr(view) == str(adlib.make_jaxpr(shell.names["f"])(1.0, 2.0))
    html = view._repr_mimebundle_()["text/html"]
    assert html.index("<pre") < html.index("<img") < html.index("<table")


def test_jaxpr_of_a_transformed_function_with_spaces_and_negative_numbers(shell):
    view = shell.run("%jaxpr adlib.grad(f)( x , -1.0 )")
    assert "cos" in repr(view)


def test_jaxpr_leaves_literals_and_braces_as_typed(shell):
    shell.run("def g(d, text):\n    assert text == 'a  {x}  b'\n    return d['k'] * 2.0")
    assert "mul b 2.0" in repr(shell.run("%jaxpr g({'k': x}, 'a  {x}  b')")).replace(" a ", " b ")


def test_jaxpr_shows_one_part_on_request(shell):
    assert "<img" not in shell.run("%jaxpr --text f(x, 2.0)").html
    assert "<pre" not in shell.run("%jaxpr --graph f(x, 2.0)").html


def test_jaxpr_sees_the_names_of_a_function_that_uses_it(shell):
    shell.run(
        "def report(inner):\n"
        "    return get_ipython().run_line_magic('jaxpr', 'f(inner, 2.0) -- 0'.split(' --')[0])"
    )
    assert "sin" in repr(shell.run("report(3.0)"))


def test_jaxpr_gives_the_cell_and_line_of_an_equation(shell):
    shell.run("def h(x):\n    z = jnp.sin(x)\n    return z * x")
    number = shell.shell.execution_count - 1
    view = shell.run("%jaxpr h(x)")
    assert [n.source for n in view.record.of_kind("equation")] == [
        f"In[{number}]:2",
        f"In[{number}]:3",
    ]


def test_what_the_function_raises_comes_through(shell):
    kind, shown = shell.error("%jaxpr f(x)")
    assert kind == "TypeError" and "missing 1 required positional argument: 'y'" in shown


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("%jaxpr", "%jaxpr wants a call, such as %jaxpr f(x, y); nothing was given."),
        ("%jaxpr f", "this is a name: f. Give it arguments: %jaxpr f(…)."),
        ("%jaxpr f(x", "this is not one expression: f(x ("),
        ("%jaxpr x + y", "this is an expression without a call around it: x + y."),
        ("%jaxpr --txt f(x, y)", "there is no option --txt. Did you mean --text?"),
        ("%jaxpr --text --graph f(x, y)", "--graph and --text exclude each other"),
        ("%jaxpr --depth two f(x, y)", "invalid int value: 'two'. %jaxpr -h lists the options."),
    ],
)
def test_mistakes_in_jaxpr_are_explained_without_a_traceback(shell, line, message):
    kind, shown = shell.error(line)
    assert kind == "UsageError" and message in shown
    assert "Traceback" not in shown


# --- %adtime ------------------------------------------------------------------------------


def test_adtime_times_everything_eager_and_jitted(shell):
    result = shell.run("%adtime -n 2 -r 2 f(x, 2.0)")
    assert [row.name for row in result.rows] == ["f", "jvp", "vjp", "grad", "hessian"]
    for row in result.rows:
        for timing in (row.eager, row.jitted):
            assert timing.first > 0 and len(timing.repeats) == 2 and timing.number == 2
    assert result.multiple("f") == 1.0
    assert repr(result).startswith("f(x, 2.0): seconds per call, median of 2 repeats\n")


def test_adtime_stores_its_result(shell):
    shell.run("%adtime -n 1 -r 1 -o cost f(x, 2.0)")
    assert shell.names["cost"]["grad"].eager.number == 1


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("%adtime -r 0 f(x, y)", "%adtime: --repeat has to be at least 1; it is 0."),
        ("%adtime --nubmer 3 f(x, y)", "there is no option --nubmer. Did you mean --number?"),
        ("%adtime -n", "expected one argument"),
        ("%adtime", "%adtime wants a call, such as %adtime f(x, y); nothing was given."),
    ],
)
def test_mistakes_in_adtime_are_explained_without_a_traceback(shell, line, message):
    kind, shown = shell.error(line)
    assert kind == "UsageError" and message in shown
    assert "Traceback" not in shown


# --- the line form of %grad, %jvp and %vjp -----------------------------------------------


def test_grad_of_a_call_is_with_respect_to_all_floats(shell):
    result = shell.run("%grad --check --hessian f(x, 2.0)")
    assert repr(result).splitlines()[:3] == [
        "value     1.68294   f32[]",
        "d/dx      1.0806    f32[]  agrees with finite differences",
        "d/dy      0.841471  f32[]  agrees with finite differences",
    ]
    assert "d²/dx dy  0.540302" in repr(result)
    shell.run("%grad --graph -o g f(x, 2.0)")
    assert "<img" in shell.names["g"]._repr_mimebundle_()["text/html"]


def test_cells_take_all_options_of_grad(shell):
    result = shell.run("%%grad --hessian --graph x\nx ** 3")
    assert "d²/dx dx  6.0" in repr(result) and "let" in repr(result)


def test_jvp_is_the_jacobian_times_a_vector(shell):
    assert repr(shell.run("%jvp f(x, y) @ (2.0, y)")).splitlines()[-1] == (
        "tangent  [1.92208, 3.84415]   f32[2]"
    )
    assert "along x  1.0" in repr(shell.run("%jvp jnp.sin(x)"))
    shell.run("%%jvp -o p x=2.0 y\nf(x, y)")
    assert shell.names["p"].tangents["x"] == 2.0
    assert shell.names["p"].tangent.shape == (2,)


def test_vjp_is_a_vector_times_the_jacobian(shell):
    result = shell.run("%vjp [1.0, 0.0] @ f(x, y)")
    assert float(result["x"]) == pytest.approx(0.5403023)
    result = shell.run("%%vjp --cotangent y x\nf(x, y)")
    assert float(result["x"]) == pytest.approx(0.5403023 * 5)


@pytest.mark.parametrize(
    ("cell", "message"),
    [
        ("%grad", "%grad wants a call, such as %grad f(x, y); nothing was given."),
        ("%grad f(1, 2)", "no argument is a float or an array of floats"),
        ("%grad --hesian f(x, 1.0)", "no option --hesian. Did you mean --hessian?"),
        ("%jvp", "%jvp wants a call or a product with one, such as %jvp f(x) @ v; nothing was"),
        ("%jvp x", "such as %jvp f(x) @ v; this is a name: x. Give it arguments: %jvp x(…)."),
        ("%jvp f(x, y) @ 2.0", "one tangent for each of x, y, in a tuple; 1 came for 2."),
        ("%jvp jnp.sin(y) @ [1.0]", "the tangent of x has to have the shape (2,)"),
        ("%%jvp x=\nx", "value"),
        ("%%jvp x=2+\nx", "%%jvp wants an expression; this is not one expression: 2+"),
        ("%%jvp z=1.0\nx", "there is no variable z."),
        ("%vjp f(x, y) @ y", "such as %vjp w @ f(x); this is a name: y."),
        ("%vjp 2.0 @ f(x, y)", "%vjp: the cotangent has to have the shape (2,); this one has ()."),
        ("%%vjp --cotanget y x\nx", "no option --cotanget. Did you mean --cotangent?"),
        ("%%vjp\nx", "%%vjp wants the names of the variables"),
    ],
)
def test_mistakes_in_derivatives_are_explained_without_a_traceback(shell, cell, message):
    if message == "value":
        assert shell.run(cell).tangent == 1.0  # nothing behind the sign stands for ones
        return
    kind, shown = shell.error(cell)
    assert kind == "UsageError" and message in shown
    assert "Traceback" not in shown


# --- cells of %jaxpr and %adtime, %checkgrads, %addevice, %adlib --------------------------


def test_jaxpr_of_a_cell_names_its_inputs(shell):
    view = shell.run("%%jaxpr --text x y\nz = f(x, y)\nz * x")
    assert [node.note for node in view.record.of_kind("input")] == ["x", "y"]
    number = shell.shell.execution_count - 1
    assert view.record.of_kind("equation")[-1].source == f"In[{number}]:3"


def test_adtime_of_a_cell(shell):
    result = shell.run("%%adtime -n 1 -r 1 x\nz = f(x, 2.0)\nz * x")
    assert result.call == "z * x" and [row.name for row in result.rows][-1] == "hessian"


def test_checkgrads(shell):
    assert shell.run("%checkgrads f(x, y)").passed
    result = shell.run("%%checkgrads --order 1 --modes rev x\njnp.tanh(x) * x")
    assert repr(result) == "order 1  reverse  agrees with finite differences"


def test_addevice_shows_and_chooses(shell):
    assert repr(shell.run("%addevice")).startswith("adlib computes on cpu.")
    assert shell.run("%addevice cpu").current == "cpu"
    adlib.config.update("jax_default_device", None)


def test_adlib_lists_the_magics(shell):
    text = repr(shell.run("%adlib"))
    assert all(form in text for entry in CATALOGUE for form in entry.forms)
    text = repr(shell.run("%adlib %%grad"))
    assert "    %%grad --check --hessian x y\n    r = x * y" in text and "--graph" in text


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("%checkgrads --order 0 f(x, y)", "%checkgrads: --order has to be at least 1; it is 0."),
        ("%checkgrads --ordr 1 f(x, y)", "no option --ordr. Did you mean --order?"),
        ("%addevice tpu", "%addevice takes cpu or gpu; 'tpu' is neither."),
        ("%adlib jpv", "%adlib: there is no magic jpv. Did you mean vjp?"),
        ("%adlib zzz", "%adlib: there is no magic zzz. There are grad, jvp, vjp, jaxpr"),
    ],
)
def test_mistakes_in_the_others_are_explained_without_a_traceback(shell, line, message):
    kind, shown = shell.error(line)
    assert kind == "UsageError" and message in shown
    assert "Traceback" not in shown


# --- %check -------------------------------------------------------------------------------


@pytest.fixture
def asked(shell):
    shell.run("from adlib_kernel import exercise")
    shell.run("exercise('slope', lambda x: 2 * x, points=[1., 2., 3.], hints=['A line.'])")
    yield shell
    exercises._exercises.pop("slope")


def test_check_takes_an_expression_or_a_cell(asked):
    assert asked.run("%check slope lambda t: t + t")
    assert asked.run("%%check slope\ndef mine(x):\n    return 2 * x")
    assert asked.run("%%check slope\nmine = lambda x: x * 2")
    assert asked.run("%%check slope -o verdict\nfactor = 2\nlambda x: factor * x")
    assert asked.names["verdict"].passed and asked.names["factor"] == 2
    assert asked.names["mine"](3) == 6
    assert repr(asked.run("%check slope lambda x: x / 2")) == (
        "slope: not yet. It is too small by the factor 4.0. For a hint: %check --hint slope"
    )


def test_hints_through_the_magic(asked):
    assert repr(asked.run("%check --hint slope")) == "Hint 1 of 1: A line."
    assert repr(asked.run("%%check --hint slope\n...")) == "Hint 1 of 1: A line."


def test_errors_in_a_checked_cell_name_its_line(asked):
    kind, shown = asked.error("%%check slope\nx = 1\nx + undefined_name")
    assert kind == "NameError" and "line 3" in shown
    number = asked.shell.execution_count
    verdict = asked.run("%%check slope\ndef mine(x):\n    return x / 0")
    assert f"It raises ZeroDivisionError: float division by zero (In[{number}]:3)" in (
        verdict.message
    )


@pytest.mark.parametrize(
    ("cell", "message"),
    [
        ("%check", "%check wants the name of an exercise and the answer, such as"),
        ("%check slope", "such as %check slope my_slope; the answer is missing."),
        ("%check slpoe 3", "there is no exercise slpoe. Did you mean slope?"),
        ("%check slope 3 +", "%check wants an expression; this is not one expression: 3 +"),
        ("%%check\n1", "%%check wants the name of an exercise, such as %%check slope; nothing"),
        ("%%check slope\nimport os", "%%check wants a cell whose last line is the answer"),
        ("%%check slope\n# nothing", "this cell is empty."),
        ("%%check --hnit slope\n1", "no option --hnit. Did you mean --hint?"),
    ],
)
def test_mistakes_in_check_are_explained_without_a_traceback(asked, cell, message):
    kind, shown = asked.error(cell)
    assert kind == "UsageError" and message in shown
    assert "Traceback" not in shown


# --- all of them --------------------------------------------------------------------------


HELP = [
    f"{form} -h" + ("\nx" if form.startswith("%%") else "")
    for entry in CATALOGUE
    for form in entry.forms
]


@pytest.mark.parametrize("line", [*HELP, "%adtime --help"])
def test_help_prints_the_options_and_does_nothing(shell, line):
    assert shell.run(line) is None
    assert "-o NAME, --output NAME" in shell.printed
    assert shell.printed.splitlines()[0].split()[0] == line.split()[0]


def test_question_mark_shows_the_options(shell):
    shell.run("%jaxpr?")
    assert "--depth" in shell.shell.find_line_magic("jaxpr").__doc__


# --- mistakes that every magic knows --------------------------------------------------------

CALLS = [entry.name for entry in CATALOGUE if "%%" + entry.name in entry.forms]
CALLS.remove("check")
DERIVATIVES = ("grad", "jvp", "vjp", "checkgrads")


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("ff(x, y)", "there is no name ff. Did you mean f?"),
        ("f(x, yyy)", "there is no name yyy."),
        ("f(x, y", "this is not one expression: f(x, y ('(' was never closed)."),
        ("-o 1a f(x, y)", "-o wants the name of a variable for the result; '1a' is not a name."),
        ("-o", "-o"),
        ("--hlep f(x, y)", "there is no option --hlep. Did you mean --help?"),
    ],
)
def test_bad_lines(shell, name, line, message):
    kind, shown = shell.error(f"%{name} {line}")
    assert kind == "UsageError" and message in shown and "Traceback" not in shown


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize(
    ("cell", "message"),
    [
        ("word\nx * 2", "word is of type str, and a number, an array or a pytree of them is"),
        ("f\nx * 2", "f is of type function, and a number"),
        ("xxx\nx * 2", "there is no variable xxx."),
        ("x\nprint(x)", "the value of the cell's last line, and this one has none: print(x) gives"),
        ("x\nq = x", "Add a last line: q"),
        ("--hlep x\nx", "there is no option --hlep. Did you mean --help?"),
        ("x x\nx * 2", "x is named twice; once is enough."),
    ],
)
def test_bad_cells(shell, name, cell, message):
    if name == "adtime" and " is of type " in message:
        return  # whatever can be called can be timed
    shell.run("word = 'text'")
    kind, shown = shell.error(f"%%{name} {cell}")
    assert kind == "UsageError" and message in shown and "Traceback" not in shown


@pytest.mark.parametrize("name", [*DERIVATIVES, "flow", "admem", "jacobian"])
def test_integers_have_no_derivatives(shell, name):
    shell.run("n = 3")
    kind, shown = shell.error(f"%%{name} n\nn * 2.0")
    assert kind == "UsageError" and "n holds no floats" in shown
    assert shown.strip().endswith("Set it in a cell above: n = 3.0")
    kind, shown = shell.error(f"%{name} f(n, n)")
    assert kind == "UsageError" and "Write 2.0 instead of 2." in shown


@pytest.mark.parametrize("name", [entry.name for entry in CATALOGUE])
def test_every_form_explains_itself(shell, name):
    for form in next(entry.forms for entry in CATALOGUE if entry.name == name):
        shell.run(f"{form} -h\nx" if form.startswith("%%") else f"{form} -h")
        assert form in shell.printed and "-o NAME" in shell.printed
        shell.run(f"{form}?")


def test_a_negative_depth(shell):
    kind, shown = shell.error("%jaxpr --depth -1 f(x, y)")
    assert kind == "UsageError" and "--depth has to be at least 0; it is -1." in shown
