"""Does a server really speak Ollama? Checks that judge one over HTTP, and nothing else."""
