"""The error for a magic that is used in a way that cannot work."""


class MagicMistake(ValueError):
    """A mistake in what follows a magic's name; the message says what is wanted instead.

    The magics turn it into IPython's ``UsageError``, which prints without a traceback.
    """
