"""Small libraries on top of the engine, short enough to read: ``stax`` and ``optimizers``."""
