"""``adlib.extend``: what is needed to extend the engine, under its published place."""

from adlib.extend import core
