"""What goes wrong in a template, worded as Go words it."""


class TemplateError(Exception):
    """A template that does not parse, does not execute, or takes too much; replied to as 500."""

    status = 500


class CallError(Exception):
    """A template function refused its arguments; execution makes a `TemplateError` of it."""
