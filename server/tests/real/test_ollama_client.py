"""The official Python client against a server with SmolLM2-135M, at `OLLAMA_HOST`."""

import ollama
import pytest

MODEL = "smollm2:135m"
GREEDY = {"temperature": 0, "num_predict": 12}
FRANCE = [{"role": "user", "content": "The capital of France is"}]


def test_the_model_is_listed() -> None:
    """With what people look for in a list."""
    (model,) = [each for each in ollama.list().models if each.model == MODEL]
    assert model.details.family == "llama"
    assert model.details.parameter_size == "134.52M"
    assert model.details.quantization_level == "Q4_1"


def test_the_model_is_shown() -> None:
    """With its template and its metadata."""
    shown = ollama.show(MODEL)
    assert "completion" in shown.capabilities
    assert shown.modelinfo["llama.context_length"] == 8192
    assert "<|im_start|>" in shown.template


def test_generate_answers() -> None:
    """With text, counts and a reason."""
    answer = ollama.generate(MODEL, "The capital of France is", options=GREEDY)
    assert answer.response
    assert answer.done
    assert answer.done_reason in ("stop", "length")
    assert answer.eval_count > 1
    assert answer.context


def test_a_raw_prompt_is_continued() -> None:
    """With what the model knows; the answer is the same on every engine."""
    answer = ollama.generate(MODEL, "The capital of France is", raw=True, options=GREEDY)
    assert answer.response.startswith(" Paris")
    assert answer.prompt_eval_count == 5


def test_streamed_generate_is_the_same_text() -> None:
    """Piece by piece."""
    whole = ollama.generate(MODEL, "The capital of France is", options=GREEDY)
    pieces = list(ollama.generate(MODEL, "The capital of France is", options=GREEDY, stream=True))
    assert len(pieces) > 2
    assert "".join(piece.response for piece in pieces) == whole.response
    assert [piece.done for piece in pieces] == [False] * (len(pieces) - 1) + [True]


def test_chat_answers() -> None:
    """As the assistant."""
    answer = ollama.chat(MODEL, FRANCE, options=GREEDY)
    assert answer.message.role == "assistant"
    assert answer.message.content


def test_streamed_chat_is_the_same_text() -> None:
    """Piece by piece."""
    whole = ollama.chat(MODEL, FRANCE, options=GREEDY)
    pieces = list(ollama.chat(MODEL, FRANCE, options=GREEDY, stream=True))
    assert "".join(piece.message.content for piece in pieces) == whole.message.content


def test_a_missing_model_is_a_404() -> None:
    """As the client's own exception."""
    with pytest.raises(ollama.ResponseError) as refused:
        ollama.chat("no-such-model", FRANCE)
    assert refused.value.status_code == 404


def test_a_model_is_copied_and_deleted() -> None:
    """Under a name of our own."""
    ollama.copy(MODEL, "parallama-test-copy")
    assert ollama.delete("parallama-test-copy").status == "success"


def test_the_model_is_running_after_use() -> None:
    """With the window it has."""
    ollama.generate(MODEL, "", keep_alive="5m")
    assert MODEL in [each.model for each in ollama.ps().models]
