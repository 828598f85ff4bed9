"""Versions: our own, and that of the API we speak."""

VERSION = "0.1.0"
"""The release of parallama; `pyproject.toml` says the same."""

API_VERSION = "0.12.0"
"""What `/api/version` says: the release of Ollama whose API is followed. Clients compare it with
the release that brought a feature (Copilot wants at least 0.6.4, thinking came with 0.9.0)."""
