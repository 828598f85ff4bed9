"""Records to an HTTP answer: as a stream of lines, or the last one as an object.

The client's reading speed holds up only its own stream: each line is written when the one before
is on its way.
"""

from collections.abc import AsyncIterator
from contextlib import aclosing

import structlog
from aiohttp import web

from .decode import DecodeError
from .errors import ApiError
from .framing import encode, line
from .template import TemplateError
from .wire import Record

log = structlog.get_logger("parallama")


async def reply(
    request: web.Request, records: AsyncIterator[Record], *, stream: bool
) -> web.StreamResponse:
    """The answer to a request that gives several records.

    An error before the first line is raised, to become an ordinary error answer; one after it
    becomes the last line (STREAM-010, STREAM-011). Not streamed, the last record is the answer.
    """
    async with aclosing(records):  # type: ignore[type-var]
        if not stream:
            last: Record = {}
            async for record in records:
                last = record
            return object_reply(last)
        first = await anext(records)
        response = web.StreamResponse(headers={"Content-Type": "application/x-ndjson"})
        await response.prepare(request)
        await response.write_eof(await _until_done(response, first, records))
        return response


async def _until_done(
    response: web.StreamResponse, first: Record, records: AsyncIterator[Record]
) -> bytes:
    """Write the lines; what ends the answer is handed back, to go out with the body's end."""
    record: Record | None = first
    end = b""
    try:
        while record is not None:
            if record.get("done"):
                end = line(record)
            else:
                await response.write(line(record))
            record = await anext(records, None)
    except (ApiError, DecodeError, TemplateError) as error:
        end = line({"error": str(error)})
    except ConnectionError:
        raise
    except Exception:
        log.exception("failed in mid-stream")
        end = line({"error": "internal server error"})
    return end


def object_reply(record: Record) -> web.Response:
    """One JSON object."""
    return web.Response(body=encode(record), content_type="application/json", charset="utf-8")
