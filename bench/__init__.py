"""The bench: how fast any Ollama server is, from raw samples. Imports no other room."""
