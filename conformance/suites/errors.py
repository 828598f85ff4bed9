"""Class core, part two: what is refused, with which status and which words, and what is not."""

from __future__ import annotations

from ..check import MUST, PASSED, SHOULD, Verdict, check, every, expect, expect_error, expect_that
from ..clients import CHATTERS, JS, LANGCHAIN, LITELLM, OPEN_WEBUI, PYTHON, SDKS
from ..evidence import Exchange, Json
from ..likeness import expect_again
from ..reply import read
from ..target import NOBODY, Target

HELLO = [{"role": "user", "content": "Hello"}]
NO_FORMATS: tuple[Json, ...] = ("xml", 5, True, [], "JSON", "json_object", '{"type": "object"}')
ROUTES = ("/api/generate", "/api/chat")


@check(
    "errors/empty-body",
    MUST,
    group="core",
    source="server/routes.go:GenerateHandler",
    covers=("REQ-001", "ERR-001"),
    breaks=SDKS,
)
def empty_body(target: Target) -> Verdict:
    """A request without a body is refused: 400, `missing request body`."""
    return every(
        expect_error(target.request("POST", path, b""), (400,), exactly="missing request body")
        for path in ROUTES
    )


@check(
    "errors/malformed-json",
    MUST,
    group="core",
    source="docs/api/errors.mdx",
    covers=("REQ-002", "ERR-002"),
    breaks=SDKS,
)
def malformed_json(target: Target) -> Verdict:
    """A body that is not JSON is refused with 400 and says why."""
    bodies = (b'{"model":', b"{bad}", b'{"model": "x"', b"[1]")
    return every(
        expect_error(target.request("POST", path, body), (400,))
        for path in ROUTES
        for body in bodies
    )


@check(
    "errors/wrong-type",
    MUST,
    group="core",
    source="api/types.go",
    covers=("REQ-004", "REQ-009", "REQ-011", "OPT-036", "CHAT-016"),
    breaks=SDKS,
)
def wrong_type(target: Target) -> Verdict:
    """A field of the wrong JSON type is refused with 400, before the model is looked for."""
    generate = (
        {"prompt": 5},
        {"prompt": "a", "stream": "false"},
        {"prompt": "a", "options": []},
        {"prompt": "a", "raw": 1},
        {"prompt": "a", "context": "x"},
        {"prompt": "a", "system": []},
    )
    chat = (
        {"messages": "Hello"},
        {"messages": {"role": "user"}},
        {"messages": HELLO, "stream": 1},
        {"messages": [{"role": "user", "content": 3}]},
        {"messages": [{"role": "user", "content": [{"type": "text", "text": "Hello"}]}]},
        {"messages": HELLO, "tools": {}},
        {"messages": HELLO, "options": "hot"},
    )
    asks = [("/api/generate", ask) for ask in generate] + [("/api/chat", ask) for ask in chat]
    return every(
        expect_error(target.post(path, {"model": NOBODY, **ask}), (400,)) for path, ask in asks
    )


@check(
    "errors/unknown-model",
    MUST,
    group="core",
    source="docs/api/errors.mdx",
    covers=("NAME-007", "NAME-009", "ERR-009", "STREAM-010"),
    breaks=(*SDKS, LANGCHAIN, LITELLM),
)
def unknown_model(target: Target) -> Verdict:
    """A model that is not there is 404, `model 'NAME' not found`, streamed or not."""
    exactly = f"model '{NOBODY}' not found"
    return every(
        expect_error(target.post(path, {"model": NOBODY, **ask}, **more), (404,), exactly=exactly)
        for path, ask in (
            ("/api/generate", {"prompt": "Hello"}),
            ("/api/chat", {"messages": HELLO}),
        )
        for more in ({"stream": False}, {})
    )


@check(
    "errors/missing-model",
    MUST,
    group="core",
    source="server/routes.go:ChatHandler",
    covers=("NAME-006", "ERR-007", "ERR-008", "REQ-006", "GEN-001", "CHAT-001"),
)
def missing_model(target: Target) -> Verdict:
    """No model named: chat says 400 `model is required`, generate 404 not found."""
    chat = target.post("/api/chat", messages=HELLO)
    generate = target.post("/api/generate", prompt="Hello")
    return every(
        (
            expect_error(chat, (400,), exactly="model is required"),
            expect_error(generate, (404,), containing="not found"),
        )
    )


@check(
    "errors/bad-model-name",
    MUST,
    group="core",
    source="types/model/name.go:isValidPart",
    covers=("NAME-005", "ERR-011"),
)
def bad_model_name(target: Target) -> Verdict:
    """A name that no model can have is 400, `invalid model name`."""
    names = ("bad name!", "/x", "a:", "a" * 81)
    return every(
        expect_error(
            target.post("/api/generate", model=name, prompt="Hello"),
            (400,),
            exactly="invalid model name",
        )
        for name in names
    )


@check(
    "errors/shape",
    MUST,
    group="core",
    source="docs/api/errors.mdx",
    covers=("HTTP-012", "ERR-054"),
    breaks=(PYTHON, JS, OPEN_WEBUI),
)
def error_shape(target: Target) -> Verdict:
    """An error is a JSON object with one key, `error`, a string; its status is never 200."""
    for got in _errors(target):
        if got.code < 400:
            return expect_that(False, "a status of 400 or more", got.status, got)
        keys = set(got.object) - {"signin_url"}
        if keys != {"error"} or not got.error_text:
            return expect_that(False, "only the key `error`", got.loose_text, got)
    return PASSED


@check(
    "errors/content-type",
    MUST,
    group="core",
    source="server/routes.go:streamResponse",
    covers=("HTTP-011", "CLIENT-JS-OLL-04"),
    breaks=(JS,),
)
def error_content_type(target: Target) -> Verdict:
    """Errors are application/json, also where a stream was asked for."""
    return every(
        expect(got.answered.media_type, "application/json", got) for got in _errors(target)
    )


def _errors(target: Target) -> list[Exchange]:
    return [
        target.post("/api/chat", model=NOBODY, messages=HELLO),
        target.post("/api/chat", model=NOBODY, messages=HELLO, stream=False),
        target.post("/api/generate", model=NOBODY, prompt=5),
        target.request("POST", "/api/generate", b""),
    ]


@check(
    "errors/server-stays-usable",
    MUST,
    group="core",
    source="docs/api/errors.mdx",
    covers=("ERR-055",),
    breaks=CHATTERS,
)
def server_stays_usable(target: Target) -> Verdict:
    """After errors of every kind the next right request is answered."""
    _errors(target)
    target.post("/api/chat", model=target.model, messages=HELLO, options={"stop": 5})
    target.post("/api/chat", model=target.model, messages=HELLO, keep_alive="soon")
    return expect(read(target.chat()).final["done"], True)


@check(
    "errors/unknown-fields-ignored",
    MUST,
    group="core",
    source="api/types.go",
    covers=("REQ-003", "GEN-031", "TOOL-020"),
    breaks=CHATTERS,
)
def unknown_fields_ignored(target: Target) -> Verdict:
    """Unknown fields are ignored at every level, also those that mean something elsewhere."""
    plain = read(target.chat()).text
    messages = [
        {**one, "name": "x", "annotations": []} for one in target.asked("greeting")["messages"]
    ]
    odd = target.chat(
        messages=messages, foo={"bar": 1}, max_tokens=1, stop=["e"], tool_choice="none"
    )
    return expect_again(target, read(odd).text, plain, odd)


@check(
    "errors/nulls-are-absent",
    MUST,
    group="core",
    source="api/types.go",
    covers=("REQ-005", "FMT-003", "OPT-034", "IMG-010"),
    breaks=(LANGCHAIN, PYTHON),
)
def nulls_are_absent(target: Target) -> Verdict:
    """null means absent, for every optional field and every option."""
    whole = read(target.generate()).text
    names = ("system", "template", "keep_alive", "images", "context", "suffix", "raw")
    nulls: dict[str, Json] = dict.fromkeys(names)
    options = {"num_ctx": None, "stop": None, "top_k": None}
    got = target.generate(options=options, **nulls)
    return expect_again(target, read(got).text, whole, got)


@check(
    "errors/options-checked",
    MUST,
    group="core",
    source="api/types.go:Options.FromMap",
    covers=("OPT-032", "ERR-020"),
    breaks=SDKS,
)
def options_checked(target: Target) -> Verdict:
    """An option of the wrong type is an error that names it; Ollama says 500, 400 is as good."""
    wrong = {"num_ctx": "4096", "temperature": "hot", "stop": "x", "num_predict": "many"}
    return every(
        expect_error(
            target.generate(options={name: value}),
            (400, 500),
            containing=f'option "{name}" must be of type',
        )
        for name, value in wrong.items()
    )


@check(
    "errors/format-checked",
    MUST,
    group="core",
    source="llm/server.go:Completion",
    covers=("FMT-004", "ERR-029"),
    breaks=SDKS,
)
def format_checked(target: Target) -> Verdict:
    """A `format` that is neither "json" nor a schema is an error; nothing is generated."""
    return every(
        expect_error(target.generate(format=value), (400, 500), containing="invalid format")
        for value in NO_FORMATS
    )


@check(
    "errors/images-decoded",
    MUST,
    group="core",
    source="api/types.go:ImageData",
    covers=("REQ-010", "ERR-005"),
)
def images_decoded(target: Target) -> Verdict:
    """An image that is not base64 is refused with 400."""
    return every(
        expect_error(
            target.post("/api/generate", model=NOBODY, prompt="a", images=[image]),
            (400,),
            containing="illegal base64 data",
        )
        for image in ("***", "data:image/png;base64,aGk=")
    )


@check(
    "errors/images-refused",
    SHOULD,
    group="core",
    source="llm/server.go:Completion",
    covers=("IMG-004",),
)
def images_refused(target: Target) -> Verdict:
    """A model without vision refuses images instead of ignoring them."""
    _ = target.script  # an ordinary model may see
    got = target.generate(images=["aGVsbG8="])
    holds = got.code >= 400
    return expect_that(holds, "an error", f"{got.status}: {got.loose_text[:200]}")


@check(
    "errors/suffix-refused",
    MUST,
    group="core",
    source="server/images.go:CheckCapabilities",
    covers=("GEN-023", "ERR-017"),
)
def suffix_refused(target: Target) -> Verdict:
    """A suffix for a model that cannot insert is 400, `does not support insert`."""
    _ = target.script  # an ordinary model may insert
    return every(
        expect_error(got, (400,), containing="does not support insert")
        for got in (target.generate(suffix="b"), target.generate(suffix="b", prompt=""))
    )


@check(
    "errors/names-any-case",
    SHOULD,
    group="core",
    source="server/routes.go:getExistingName",
    covers=("NAME-002", "NAME-08"),
)
def names_any_case(target: Target) -> Verdict:
    """A model is found whatever the case of its name, and is called as it was asked for."""
    got = target.chat(model=target.model.upper(), options={"num_predict": 2})
    return expect(got.ok.object["model"], target.model.upper(), got)


@check(
    "errors/latest-is-default",
    MUST,
    group="core",
    source="types/model/name.go:ParseName",
    covers=("NAME-001",),
    breaks=(LANGCHAIN,),
)
def latest_is_default(target: Target) -> Verdict:
    """NAME and NAME:latest are one model, and a tag that is not there is not found."""
    model = target.model
    other = f"{model.rpartition(':')[0] or model}:parallama-check-no-such-tag"
    spelled = [target.chat(model=name, options={"num_predict": 2}) for name in _spellings(model)]
    return every(
        (
            *(expect(read(got).final["done"], True, got) for got in spelled),
            expect(target.chat(model=other).code, 404),
        )
    )


@check(
    "errors/model-echoed",
    MUST,
    group="core",
    source="server/routes.go:ChatHandler",
    covers=("NAME-004", "CHAT-040", "GEN-040"),
    breaks=(LITELLM,),
)
def model_echoed(target: Target) -> Verdict:
    """Every record's `model` is the name exactly as the client sent it."""
    bound = {"num_predict": 3}
    return every(
        expect({record["model"] for record in read(got).records}, {name}, got)
        for name in _spellings(target.model)
        for got in (
            target.chat(model=name, stream=True, options=bound),
            target.generate(model=name, options=bound),
        )
    )


def _spellings(model: str) -> tuple[str, ...]:
    tagged = ":" in model.rpartition("/")[2]
    return (model,) if tagged and not model.endswith(":latest") else _both(model)


def _both(model: str) -> tuple[str, ...]:
    bare = model.removesuffix(":latest")
    return bare, f"{bare}:latest"
