"""The clients that a failed check breaks, by the names that their users know."""

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
