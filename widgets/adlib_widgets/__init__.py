"""Pictures of programs and of what transformations do to them."""

import os

from adlib.base.source import register_internal
from adlib_widgets.jaxpr_view import JaxprView, show_jaxpr

__all__ = ["JaxprView", "show_jaxpr"]

# So that an equation's line is the user's, not one of this package's.
register_internal(os.path.dirname(os.path.abspath(__file__)))
