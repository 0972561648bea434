"""All cases, by name. To add one, write it in a module of this folder and list it there."""

from __future__ import annotations

from ..case import Case
from . import bandwidth, compiled, gradients, hvp, jacobian_products, memory, per_example

CASES: dict[str, Case] = {}
for _module in (gradients, hvp, jacobian_products, per_example, compiled, bandwidth, memory):
    for _case in _module.CASES:
        if _case.name in CASES:
            raise ValueError(f"two cases are named {_case.name}: case names must be unique")
        CASES[_case.name] = _case
