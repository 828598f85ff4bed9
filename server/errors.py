"""The errors that a client is told about; the middleware in `app` turns them into replies.

`decode.DecodeError` and `template.TemplateError` carry a `status` too.
"""


class ApiError(Exception):
    """A request that cannot be served, with the HTTP status and the text of its reply."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


def model_missing(model: str) -> ApiError:
    """404 of the inference routes and of delete: the name as the client typed it (NAME-007)."""
    return ApiError(404, f"model '{model}' not found")


def model_not_pulled(model: str) -> ApiError:
    """404 of the embedding routes (NAME-008)."""
    return ApiError(404, f'model "{model}" not found, try pulling it first')


def busy() -> ApiError:
    """503 when too many requests wait for a model to be loaded (SCHED-005; two spaces)."""
    return ApiError(503, "server busy, please try again.  maximum pending requests exceeded")


def not_supported(what: str) -> ApiError:
    """501 for a feature of the API that this server does not have yet."""
    return ApiError(501, f"{what} is not supported by this server yet")
