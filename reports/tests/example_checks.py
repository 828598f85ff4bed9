"""Some checks by class, and what went wrong with a few of them: the matter of `examples`."""

from __future__ import annotations

from typing import Any

CHECKS = {  # class: level and sentence of each check
    "core": (
        (
            "MUST",
            "version-is-numeric",
            "GET /api/version answers with a version that begins with a number.",
        ),
        ("MUST", "root-says-running", "GET / answers 200 with the words that clients look for."),
        (
            "MUST",
            "unknown-model-is-404",
            "A model that does not exist gives 404 and a JSON error that names it.",
        ),
        ("MUST", "malformed-json-is-400", "A body that is not JSON gives 400 and a JSON error."),
        ("SHOULD", "head-as-get", "HEAD / answers as GET does, without a body."),
        (
            "MUST",
            "content-type-json",
            "An answer that is not streamed says application/json; charset=utf-8.",
        ),
    ),
    "streaming": (
        ("MUST", "done-is-last", "Only the last record of a stream has done=true."),
        ("MUST", "lines-are-records", "Each line of a stream is one JSON object."),
        (
            "MUST",
            "arrives-as-made",
            "Records arrive while the answer is being made, not all at its end.",
        ),
        (
            "MUST",
            "separators-are-escaped",
            "U+0085, U+2028 and U+2029 leave as escapes, never raw.",
        ),
        (
            "SHOULD",
            "durations-add-up",
            "load, prompt and eval durations are together not above the total.",
        ),
        ("SHOULD", "created-at-advances", "created_at of later records is later."),
        ("MAY", "empty-last-content", "The last record has empty content."),
    ),
    "options": (
        (
            "MUST",
            "temperature-zero-repeats",
            "At temperature 0 the same request gives the same text.",
        ),
        ("MUST", "seed-repeats", "The same seed gives the same text."),
        (
            "MUST",
            "num-predict-bounds",
            "num_predict bounds eval_count, and done_reason is then length.",
        ),
        ("MUST", "stop-is-cut", "A stop string ends the text and is not part of it."),
        ("SHOULD", "top-k-keeps-k", "top_k leaves exactly the k likeliest tokens."),
        ("SHOULD", "top-p-keeps-mass", "top_p leaves the smallest set whose mass reaches p."),
        ("MAY", "unknown-option-tolerated", "An option that does not exist changes nothing."),
    ),
    "manage": (
        ("MUST", "tags-lists-created", "A created model is listed by /api/tags."),
        ("MUST", "show-has-capabilities", "/api/show lists capabilities."),
        ("MUST", "copy-then-show", "A copy answers /api/show as its source does."),
        ("MUST", "delete-then-404", "A deleted model gives 404."),
        ("SHOULD", "empty-list-not-null", "An empty list is [], never null."),
    ),
    "create": (
        ("MUST", "from-gguf", "/api/create makes a model from a GGUF blob."),
        (
            "MUST",
            "bad-digest-refused",
            "A blob whose bytes have another digest is refused with 400.",
        ),
        ("SHOULD", "status-lines", "/api/create streams its status and ends with success."),
    ),
    "context": (
        ("MUST", "history-counts", "An answer may depend on the first turn."),
        (
            "SHOULD",
            "context-goes-on",
            "The context of one answer continues it in the next request.",
        ),
    ),
    "thinking": (
        (
            "MUST",
            "think-is-apart",
            "With think=true the thoughts are in thinking and not in content.",
        ),
        ("SHOULD", "think-off", "With think=false there are no thoughts."),
    ),
    "tools": (
        ("MUST", "call-is-object", "Arguments of a tool call are an object, not a string."),
        ("MUST", "two-calls", "Two calls at once arrive in order."),
    ),
    "embeddings": (
        ("MUST", "batch-in-order", "A batch gives as many vectors as inputs, in their order."),
        ("SHOULD", "unit-length", "Vectors have length 1."),
    ),
    "openai": (
        ("MUST", "done-marker", "A stream ends with data: [DONE]."),
        ("MUST", "models-list", "/v1/models lists what /api/tags lists."),
    ),
    "concurrency": (
        ("MUST", "no-crossed-streams", "Answers in company equal answers alone."),
        ("SHOULD", "cancel-frees-slot", "A client that hangs up frees its slot."),
    ),
    "logprobs": (("MAY", "top-is-sorted", "top_logprobs come likeliest first."),),
}
FINDINGS: dict[str, dict[str, Any]] = {
    "core/unknown-model-is-404": {
        "verdict": "failed",
        "breaks": ["Python ollama", "LangChain"],
        "expected": {"status": 404, "body": {"error": "model 'no-such-model:latest' not found"}},
        "actual": {
            "status": 200,
            "body": {"error": "model 'no-such-model:latest' not found", "code": 5},
        },
        "reason": "The error came with status 200, so the client takes it for an answer.",
    },
    "streaming/separators-are-escaped": {
        "verdict": "failed",
        "breaks": ["Python ollama"],
        "expected": "Zeile eins\u2028Zeile zwei\u0085— 你好, 👩‍👩‍👧 naïve café",
        "actual": "Zeile eins Zeile zwei — 你好, 👩‍👩‍👧 naïve café",
        "reason": "The Python client splits lines at these characters and finds half a record.",
    },
    "streaming/arrives-as-made": {
        "verdict": "failed",
        "breaks": ["Open WebUI", "VS Code Copilot"],
        "expected": "At least 3 arrivals spread over the answer.",
        "actual": "42 records in 1 arrival, 1,804 ms after sending.",
        "reason": "All tokens were made first and then streamed in one burst.",
    },
    "options/stop-is-cut": {
        "verdict": "unstable",
        "breaks": [],
        "expected": "one two three ",
        "actual": "one two three four",
        "reason": "Passed 3 times of 5.",
        "attempts": ["passed", "failed", "passed", "failed", "passed"],
    },
    "options/top-p-keeps-mass": {
        "verdict": "failed",
        "breaks": [],
        "expected": ["a", "b", "c"],
        "actual": ["a", "b", "c", "d", "e"],
        "reason": "Tokens outside the set were drawn: 'd' 4 times, 'e' twice in 200.",
    },
    "tools/two-calls": {
        "verdict": "not_testable",
        "breaks": ["VS Code Copilot"],
        "expected": None,
        "actual": None,
        "reason": "The server lists the capability 'tools', but a single call already failed.",
    },
    "concurrency/cancel-frees-slot": {
        "verdict": "errored",
        "breaks": [],
        "expected": None,
        "actual": None,
        "reason": "The connection was reset while connecting, three times.",
    },
}
