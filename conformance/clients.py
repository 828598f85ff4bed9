"""The clients that a failed check breaks, by the names that their users know."""

from __future__ import annotations

from collections.abc import Iterable

PYTHON = "ollama (Python)"
JS = "ollama (JavaScript)"
GO = "Ollama CLI (Go)"
LANGCHAIN = "LangChain (Python)"
LANGCHAIN_JS = "LangChain (JavaScript)"
LLAMAINDEX = "LlamaIndex"
CONTINUE = "Continue"
CLINE = "Cline"
ROO = "Roo Code"
COPILOT = "VS Code Copilot"
ZED = "Zed"
OPEN_WEBUI = "Open WebUI"
LITELLM = "LiteLLM"

SDKS = (PYTHON, JS, GO)
CHATTERS = (*SDKS, LANGCHAIN, LANGCHAIN_JS, LLAMAINDEX, CONTINUE, CLINE, ZED, OPEN_WEBUI, LITELLM)
PICKERS = (*SDKS, CONTINUE, CLINE, ROO, COPILOT, ZED, OPEN_WEBUI)  # they list models first

NATIVE = tuple(dict.fromkeys((*CHATTERS, *PICKERS)))
OVER_V1 = (  # they speak to /v1 alone, which nothing here judges yet
    "openai (Python)",
    "openai (JavaScript)",
    "anthropic (Python)",
    "anthropic (JavaScript)",
    "LangChain over /v1",
    "Codex CLI",
    "Vercel AI SDK",
    "Claude Code",
)
EVERY = (*NATIVE, *OVER_V1)

OF_ROWS = {  # what the ids of a client's rows begin with
    "CLIENT-PY-OLL-": PYTHON,
    "CLIENT-JS-OLL-": JS,
    "CLIENT-LC-PY-": LANGCHAIN,
    "CLIENT-LC-JS-": LANGCHAIN_JS,
    "CLIENT-LI-": LLAMAINDEX,
    "CLIENT-CONT-": CONTINUE,
    "CLIENT-CLINE-04": ROO,
    "CLIENT-CLINE-05": ROO,
    "CLIENT-CLINE-": CLINE,
    "CLIENT-VSC-": COPILOT,
    "CLIENT-ZED-": ZED,
    "CLIENT-OWUI-": OPEN_WEBUI,
    "CLIENT-LITELLM-": LITELLM,
}


def consequences(covers: Iterable[str]) -> list[dict[str, str]]:
    """What each client does when a check over these rows fails, as far as a row says it."""
    from .contract import load_rows

    rows = load_rows()
    found: dict[str, str] = {}
    for id in covers:
        client = next((name for prefix, name in OF_ROWS.items() if id.startswith(prefix)), None)
        if client is not None and id in rows and rows[id].otherwise:
            found.setdefault(client, rows[id].otherwise)
    return [{"client": client, "does": does} for client, does in found.items()]
