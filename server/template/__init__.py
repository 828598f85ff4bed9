"""Prompt templates: Go's, as Ollama's models carry them, and the Hugging Face kind in Jinja.

Pure: no files, no sockets. Nothing here imports anything of the server but messages and tools.
"""

from .errors import TemplateError
from .template import DEFAULT, Template

__all__ = ["DEFAULT", "Template", "TemplateError"]
