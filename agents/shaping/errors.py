"""The one error of this package, which is used by itself and so brings its own."""


class ShapingError(ValueError):
    """A network, a function or a target that can't be shaped; the message names it, what was expected, and what can be had."""
