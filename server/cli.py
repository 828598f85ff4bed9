"""The commands of `parallama`, each of which imports what takes long by itself."""

import click

from .version import VERSION


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(VERSION, "-v", "--version", message="parallama version is %(version)s")
def main() -> None:
    """A local model server that speaks Ollama's API, on MLX."""


@main.command()
def serve() -> None:
    """Start the server.

    \b
    Environment:
      OLLAMA_HOST               address to listen on (default 127.0.0.1:11434)
      OLLAMA_MODELS             folder of the models (default ~/.ollama/models)
      OLLAMA_NUM_PARALLEL       requests that one model serves at once (default 4)
      OLLAMA_CONTEXT_LENGTH     context length unless a request says otherwise (default 4096)
      OLLAMA_KEEP_ALIVE         how long an idle model stays in memory (default 5m)
      OLLAMA_LOAD_TIMEOUT       how long loading a model may take (default 5m)
      OLLAMA_MAX_LOADED_MODELS  models in memory at once (default 3)
      OLLAMA_MAX_QUEUE          requests that may wait for a model to be loaded (default 512)
      OLLAMA_ORIGINS            comma-separated web origins allowed beside the local ones
      OLLAMA_NOPRUNE            keep blobs that no model uses
      OLLAMA_DEBUG              log more
      OPENBLAS_NUM_THREADS      threads of the arithmetic on Linux (default 1)
    """
    from .serving import CannotServeError, run
    from .settings import Settings

    try:
        run(Settings.read())
    except CannotServeError as error:
        raise click.ClickException(str(error)) from error
