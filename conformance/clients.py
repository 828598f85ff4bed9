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
CODEX = "Codex CLI"

SDKS = (PYTHON, JS, GO)
CHATTERS = (
    *SDKS, LANGCHAIN, LANGCHAIN_JS, LLAMAINDEX, CONTINUE, CLINE, ROO, ZED, OPEN_WEBUI, LITELLM,
)  # fmt: skip
PICKERS = (*SDKS, CONTINUE, CLINE, ROO, COPILOT, ZED, OPEN_WEBUI)  # they list models first


NEEDS: dict[str, tuple[str, ...]] = {  # classes of checks that a client cannot do without
    PYTHON: ("core",),
    JS: ("core",),
    GO: ("core", "manage"),
    LANGCHAIN: ("core",),
    LANGCHAIN_JS: ("core",),
    LLAMAINDEX: ("core", "manage"),  # it asks show for the window
    CONTINUE: ("core", "manage"),
    CLINE: ("core", "manage"),
    ROO: ("core", "manage", "tools"),  # it hides models without tools
    COPILOT: ("manage", "openai"),  # it lists models here, and chats there
    ZED: ("core", "manage"),
    OPEN_WEBUI: ("core", "manage"),
    LITELLM: ("core",),
    CODEX: ("responses",),
    "openai (Python)": ("openai",),
    "openai (JavaScript)": ("openai",),
    "anthropic (Python)": ("anthropic",),
    "anthropic (JavaScript)": ("anthropic",),
    "LangChain over /v1": ("openai",),
    "Vercel AI SDK": ("openai",),
    "Claude Code": ("anthropic",),
}

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
    "CLIENT-CODEX-": CODEX,
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
