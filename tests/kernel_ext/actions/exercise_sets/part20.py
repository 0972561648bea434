"""Answers to the exercises of 20: for each a right one, and wrong ones by what is said of them."""

IMPORTS = """
import math
from adlib.experimental.revolve import extra_advances
"""

ANSWERS = {
    "slots_needed": (
        IMPORTS
        + """
def slots_needed(length, runs):
    s = 1
    while math.comb(s + runs, runs) < length:
        s += 1
    return s
""",
        {
            "one too many": IMPORTS
            + """
def slots_needed(length, runs):
    s = 1
    while math.comb(s + runs, runs) <= length:
        s += 1
    return s
""",
            "one too few": IMPORTS
            + """
def slots_needed(length, runs):
    s = 0
    while math.comb(s + 1 + runs, runs) < length:
        s += 1
    return s
""",
            "divided by runs": IMPORTS
            + "slots_needed = lambda length, runs: math.ceil(length / runs)",
            "the length that can be reached": IMPORTS
            + """
def slots_needed(length, runs):
    s = 1
    while math.comb(s + runs, runs) < length:
        s += 1
    return math.comb(s + runs, s)
""",
        },
    ),
    "first_snapshot": (
        IMPORTS
        + """
def first_snapshot(n, s):
    work = lambda m: m + extra_advances(m, s) + extra_advances(n - m, s - 1)
    return min(range(1, n), key=work)
""",
        {
            "there is a smaller number": IMPORTS
            + """
def first_snapshot(n, s):
    work = lambda m: m + extra_advances(m, s) + extra_advances(n - m, s - 1)
    return min(range(n - 1, 0, -1), key=work)
""",
            "the number of forward steps": IMPORTS
            + """
def first_snapshot(n, s):
    work = lambda m: m + extra_advances(m, s) + extra_advances(n - m, s - 1)
    return min(map(work, range(1, n)))
""",
            "spread evenly": "first_snapshot = lambda n, s: n // s",
            "half of the way": "first_snapshot = lambda n, s: n // 2",
        },
    ),
    "follow_schedule": (
        """
def follow_schedule(actions, step, x, u):
    slots = {}
    for action, number in actions:
        if action == 0:
            x = step(x)
        elif action == 1:
            slots[number] = x
        elif action == 2:
            x = slots[number]
        else:
            u = vjp(step, x)[1](u)[0]
    return u
""",
        {
            "every step is pulled back at x": """
def follow_schedule(actions, step, x, u):
    for action, number in actions:
        if action == 3:
            u = vjp(step, x)[1](u)[0]
    return u
""",
            "before the last step only": """
def follow_schedule(actions, step, x, u):
    for action, number in actions:
        if action == 0:
            x = step(x)
        elif action == 3:
            return vjp(step, x)[1](u)[0]
""",
            "step was called 24 times": """
def follow_schedule(actions, step, x, u):
    n = sum(action == 3 for action, _ in actions)
    states = [x]
    for _ in range(n):
        states.append(step(states[-1]))
    for x in states[-2::-1]:
        u = vjp(step, x)[1](u)[0]
    return u
""",
            "not linear in u": """
def follow_schedule(actions, step, x, u):
    slots = {}
    for action, number in actions:
        if action == 0:
            x = step(x)
        elif action == 1:
            slots[number] = x
        elif action == 2:
            x = slots[number]
        else:
            u = jnp.abs(vjp(step, x)[1](u)[0])
    return u
""",
        },
    ),
}
