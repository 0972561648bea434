"""Checkpointing by its field name: ``checkpoint``, names for values, policies."""

from adlib.api.residuals import print_saved_residuals
from adlib.control.checkpoint import checkpoint, checkpoint_name, checkpoint_policies

remat = checkpoint

__all__ = ["checkpoint", "checkpoint_name", "checkpoint_policies", "print_saved_residuals", "remat"]
