"""Checkpointing by its field name: ``checkpoint``, names for values, policies."""

from adlib.control.checkpoint import checkpoint, checkpoint_name, checkpoint_policies

remat = checkpoint

__all__ = ["checkpoint", "checkpoint_name", "checkpoint_policies", "remat"]
