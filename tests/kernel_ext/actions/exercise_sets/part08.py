"""Answers to the exercises of 08: for each a right one, and wrong ones by what is said of them."""

ANSWERS = {
    "distance_bounds": (
        """
def distance_bounds(a):
    low, high = a
    near = max(low, -high, 0.0)
    return near, max(abs(low), abs(high))
""",
        {
            "taking |·| of both ends is not enough": "lambda a: (abs(a[0]), abs(a[1]))",
            "when 0 lies inside": "lambda a: (min(map(abs, a)), max(map(abs, a)))",
            "the lower bound is not always 0": "lambda a: (0.0, max(abs(a[0]), abs(a[1])))",
            "have changed places": "lambda a: (max(map(abs, a)), max(a[0], -a[1], 0.0))",
            "the answer has 3 parts, and 2 are wanted": "lambda a: (0.0, 1.0, 2.0)",
        },
    ),
    "leaky": (
        "leaky = lambda x: jnp.maximum(x, 0.1 * x)",
        {
            "it raises ValueError": """
def leaky(x):
    if x > 0:
        return x
    return 0.1 * x
""",
            "fails at: works under jit. It raises TracerBoolConversionError": """
def leaky(x):
    if jnp.ndim(x) == 1:
        return jnp.where(x > 0, x, 0.1 * x)
    if x > 0:
        return x
    return 0.1 * x
""",
            "negative numbers come out as 0": "leaky = lambda x: jnp.maximum(x, 0.0)",
            "the two branches have changed places": "leaky = lambda x: jnp.minimum(x, 0.1 * x)",
        },
    ),
    "used_primitives": (
        """
def walk(jaxpr, counts):
    for eqn in jaxpr.eqns:
        counts[eqn.primitive.name] = counts.get(eqn.primitive.name, 0) + 1
        for value in eqn.params.values():
            for item in value if isinstance(value, (tuple, list)) else (value,):
                inner = getattr(item, "jaxpr", item)
                if hasattr(inner, "eqns"):
                    walk(inner, counts)
    return counts

def used_primitives(f, x):
    return walk(make_jaxpr(f)(x).jaxpr, {})
""",
        {
            "inside of cond and scan are not counted": """
def used_primitives(f, x):
    names = [eqn.primitive.name for eqn in make_jaxpr(f)(x).jaxpr.eqns]
    return {name: names.count(name) for name in names}
""",
            "the key 'neg' is missing": """
def used_primitives(f, x):
    names = [eqn.primitive.name for eqn in make_jaxpr(f)(x).jaxpr.eqns]
    return {name: 1 for name in names}
""",
            "the key 'sin' is missing": "used_primitives = lambda f, x: {}",
            "the answer is built as": (
                "used_primitives = lambda f, x: "
                "[eqn.primitive.name for eqn in make_jaxpr(f)(x).jaxpr.eqns]"
            ),
        },
    ),
    "forward_by_hand": (
        "forward_by_hand = lambda f, x, t: jvp(f, (x,), (t,))",
        {
            "right for t = 1 only": "lambda f, x, t: (f(x), grad(f)(x))",
            "value and tangent have changed places": ("lambda f, x, t: jvp(f, (x,), (t,))[::-1]"),
            "the tangent has the wrong sign": "lambda f, x, t: (f(x), -t * grad(f)(x))",
            "it raises KeyError: 'integer_pow'": """
def forward_by_hand(f, x, t):
    return {"sin": 1.0}["integer_pow"]
""",
            "one value, and a tuple of 2 is wanted": "lambda f, x, t: f(x)",
        },
    ),
    "depth": (
        """
def depth(f, x):
    jaxpr = make_jaxpr(f)(x).jaxpr
    level = {}
    for eqn in jaxpr.eqns:
        known = [level[v] for v in eqn.invars if not hasattr(v, "val") and v in level]
        level[eqn.outvars[0]] = max(known, default=0) + 1
    return level[jaxpr.outvars[0]]
""",
        {
            "the number of equations": "lambda f, x: len(make_jaxpr(f)(x).jaxpr.eqns)",
            "one too small": """
def depth(f, x):
    level = {}
    jaxpr = make_jaxpr(f)(x).jaxpr
    for eqn in jaxpr.eqns:
        known = [level[v] + 1 for v in eqn.invars if not hasattr(v, "val") and v in level]
        level[eqn.outvars[0]] = max(known, default=0)
    return level[jaxpr.outvars[0]]
""",
            "one too large": """
def depth(f, x):
    jaxpr = make_jaxpr(f)(x).jaxpr
    level = {jaxpr.invars[0]: 1}
    for eqn in jaxpr.eqns:
        known = [level[v] for v in eqn.invars if not hasattr(v, "val")]
        level[eqn.outvars[0]] = max(known, default=0) + 1
    return level[jaxpr.outvars[0]]
""",
        },
    ),
}
