"""The checks, a file for each part of the API. Nothing here knows how they are run."""
