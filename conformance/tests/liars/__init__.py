"""Servers that are wrong in exactly one way, each with the check that has to catch it."""

from __future__ import annotations

from .format import FORMAT
from .liar import Liar
from .options import OPTIONS
from .parsing import LOGPROBS, THINKING, TOOLS
from .store import CREATE, LIFECYCLE, MANAGE
from .streams import STREAMING
from .talk import CONTEXT, TALKING
from .wire import ERRORS, HTTP

LIARS: list[Liar] = [
    *HTTP,
    *ERRORS,
    *STREAMING,
    *TALKING,
    *OPTIONS,
    *CONTEXT,
    *THINKING,
    *TOOLS,
    *LOGPROBS,
    *FORMAT,
    *LIFECYCLE,
    *MANAGE,
    *CREATE,
]
