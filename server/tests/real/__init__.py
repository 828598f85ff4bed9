"""Tests that need a running server with SmolLM2-135M; `nox -s clients` gives them one."""
