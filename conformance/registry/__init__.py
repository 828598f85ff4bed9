"""A registry of our own: what models are pulled from and pushed to, and what was asked of it.

Speaks the protocol of Ollama's registry as far as a server asks for it. It holds nothing but the
scripted model, listens on loopback unless told otherwise, and lives as long as one check.
"""
