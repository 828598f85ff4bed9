"""Messages brought into the shape that templates expect."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from ..messages import Message


def collate(messages: Sequence[Message]) -> tuple[str, tuple[Message, ...]]:
    """All system text, and the messages with neighbours of one role merged (CHAT-028).

    Tool results stay apart: each has a name of its own.
    """
    merged: list[Message] = []
    for message in messages:
        if merged and merged[-1].role == message.role != "tool":
            content = f"{merged[-1].content}\n\n{message.content}"
            merged[-1] = replace(merged[-1], content=content)
        else:
            merged.append(message)
    system = "\n\n".join(message.content for message in messages if message.role == "system")
    return system, tuple(merged)


@dataclass(frozen=True, slots=True)
class Turn:
    """What a template without a message loop is executed with, once."""

    system: str = ""
    prompt: str = ""
    response: str = ""


def turns(messages: Sequence[Message]) -> list[Turn]:
    """Collated messages as turns, the last still open (TMPL-07); other roles are dropped."""
    done: list[Turn] = []
    open_turn = Turn()
    for message in messages:
        if message.role == "system":
            if open_turn.prompt or open_turn.response:
                done.append(open_turn)
                open_turn = Turn()
            open_turn = replace(open_turn, system=message.content)
        elif message.role == "user":
            if open_turn.response:
                done.append(open_turn)
                open_turn = Turn()
            open_turn = replace(open_turn, prompt=message.content)
        elif message.role == "assistant":
            open_turn = replace(open_turn, response=message.content)
    return [*done, open_turn]
