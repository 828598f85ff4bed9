"""Liars about the older route of embeddings, and about which models embed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from ..honest import Lie
from ..lies import (
    Fields,
    accepts,
    answers,
    hears,
    refuses,
    shows,
    statuses,
    values,
    within,
)
from .embeddings import BOTH, MADE_UP, NEW, OLD, any_model, of_other, too_long
from .liar import Liar


def _keeps(paths: tuple[str, ...]) -> Lie:
    return hears(lambda one: {k: v for k, v in one.items() if k != "keep_alive"}, *paths)


def _own_capabilities(change: Callable[[list[str]], list[str]]) -> Lie:
    def changed(value: Fields) -> None:
        value["capabilities"] = change(value["capabilities"])

    return values(changed, "/api/show")


EMBEDDERS = [
    Liar("older answers as the new", "embeddings/older", values(
        lambda one: {"embeddings": [one["embedding"]]}, OLD)),
    Liar("older counts", "embeddings/older", values(shows(prompt_eval_count=7), OLD)),
    Liar("older says the model", "embeddings/older", values(shows(model="a"), OLD)),
    Liar("older in a list", "embeddings/older", values(
        lambda one: {"embedding": [one["embedding"]]}, OLD)),
    Liar("older reversed", "embeddings/older-values", values(
        lambda one: {"embedding": one["embedding"][::-1]}, OLD)),
    Liar("older is another model", "embeddings/older-scripted", Lie(
        say=lambda heard, answer: replace(
            answer, value={"embedding": answer.value["embedding"][::-1]})
        if heard.path == OLD and answer.status == 200 and answer.value["embedding"] else answer)),
    Liar("older wants a prompt", "embeddings/older-empty", refuses(
        OLD, lambda one: not one.get("prompt"))),
    Liar("older embeds nothing", "embeddings/older-empty", hears(
        lambda one: {**one, "prompt": " "} if one.get("prompt") == "" else one, OLD)),
    Liar("older has null", "embeddings/older-empty", values(
        lambda one: {"embedding": one["embedding"] or None}, OLD)),
    Liar("older takes input", "embeddings/older-input-is-unknown", hears(
        lambda one: {"prompt": one.get("input"), **one}, OLD)),
    Liar("older takes a list", "embeddings/older-types", accepts(
        OLD, lambda one: isinstance(one.get("prompt"), list), MADE_UP)),
    Liar("older takes a number", "embeddings/older-types", hears(
        lambda one: {**one, "prompt": str(one["prompt"])} if one.get("prompt") == 5 else one, OLD)),
    Liar("older cuts", "embeddings/older-never-cuts", accepts(OLD, too_long, MADE_UP)),
    Liar("older too long is 400", "embeddings/older-too-long", statuses(500, 400, OLD)),
    Liar("older knows any model", "embeddings/older-unknown-model", accepts(
        OLD, any_model, MADE_UP)),
    Liar("older does not look", "embeddings/older-unknown-model", accepts(
        OLD, lambda one: any_model(one) and not one.get("prompt"), {"embedding": []})),
    Liar("does not hear keep_alive", "embeddings/keep-alive", _keeps(BOTH)),
    Liar("older does not hear keep_alive", "embeddings/keep-alive", _keeps((OLD,))),
    Liar("reads keep_alive as seconds", "embeddings/keep-alive", hears(
        lambda one: {**one, "keep_alive": 40} if one.get("keep_alive") == "40m" else one, *BOTH)),
    Liar("nothing loads nothing", "embeddings/empty-loads", hears(
        lambda one: {**one, "keep_alive": 0} if len(one) == 1 else one, *BOTH)),
    Liar("an embedder completes", "embeddings/capability", _own_capabilities(
        lambda found: ["completion"] if found == ["embedding"] else found)),
    Liar("an embedder can all", "embeddings/capability", _own_capabilities(
        lambda found: ["completion", *found])),
    Liar("embeddings, not embedding", "embeddings/capability", _own_capabilities(
        lambda found: ["embeddings"] if found == ["embedding"] else found)),
    Liar("all models embed", "embeddings/capability-of-others", _own_capabilities(
        lambda found: [*found, "embedding"])),
    Liar("vectors of 4096", "embeddings/size-is-shown", values(
        within("model_info", shows(**{"bert.embedding_length": 4096})), "/api/show")),
    Liar("context as text", "embeddings/size-is-shown", values(
        within("model_info", shows(**{"bert.context_length": "128"})), "/api/show")),
    Liar("an embedder generates", "embeddings/does-not-generate", accepts(
        "/api/generate", lambda one: "embedding" in str(one.get("model")))),
    Liar("an embedder chats", "embeddings/does-not-generate", accepts(
        "/api/chat", lambda one: "embedding" in str(one.get("model")))),
    Liar("refuses to generate with 500", "embeddings/does-not-generate", statuses(
        400, 500, "/api/generate")),
    Liar("a generator makes vectors up", "embeddings/generator-refuses", accepts(
        NEW, lambda one: "scripted" in str(one.get("model")), MADE_UP)),
    Liar("a generator embeds for older", "embeddings/generator-refuses", accepts(
        OLD, lambda one: "scripted" in str(one.get("model")), MADE_UP)),
    Liar("one model at a time", "embeddings/beside-generating", of_other("sky", "grass")),
    Liar("busy with generating", "embeddings/beside-generating", answers(
        lambda one: replace(one, status=503, value={"error": "busy"}), NEW)),
]  # fmt: skip
