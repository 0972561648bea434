"""Pictures of programs and of what transformations do to them."""

import os

from adlib.base.source import register_internal
from adlib_widgets.derivation_view import DerivationView, show_derivation
from adlib_widgets.flow_view import FlowView, show_flow
from adlib_widgets.interactive import interact
from adlib_widgets.jacobian_view import JacobianView, show_jacobian
from adlib_widgets.jaxpr_view import JaxprView, show_jaxpr
from adlib_widgets.memory_view import MemoryView, show_memory
from adlib_widgets.nan_view import NanView, why_nan

__all__ = [
    "DerivationView",
    "FlowView",
    "JacobianView",
    "JaxprView",
    "MemoryView",
    "NanView",
    "interact",
    "show_derivation",
    "show_flow",
    "show_jacobian",
    "show_jaxpr",
    "show_memory",
    "why_nan",
]

# So that an equation's line is the user's, not one of this package's.
register_internal(os.path.dirname(os.path.abspath(__file__)))
