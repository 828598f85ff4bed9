"""Before a run: from the command line to a profile and the arms that it is put on.

Whatever is wrong with the command, a file or a target is said here, in one sentence, before
anything is measured.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from . import custom, judged, target, trace
from .command import changes
from .fitting import Changes, Facts, FitError, altered, asks, everywhere_group, fitted, replayed
from .profiles import PROFILES, SAME_SERVER, Profile
from .pull import PullError, pull
from .target import Abilities, Address, Arm, Description, TargetError
from .words import RefusedError, Words, alike, cache_file, find, joined
from .workload import NATIVE_APIS

USAGE, UNREACHABLE = 2, 3
NOT_IMPLEMENTED = 501


class PrepareError(Exception):
    """A run cannot begin: the exit status, and a sentence that says why."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True, slots=True)
class Place:
    """A target that was looked at."""

    name: str
    address: Address
    description: Description
    abilities: Abilities


def profile_of(chosen: argparse.Namespace) -> Profile:
    """The profile that the command line asks for, with its changes; raises PrepareError."""
    try:
        profile = named(chosen)
        if chosen.seed is not None:
            profile = replace(profile, seed=chosen.seed)
        wanted = changes(chosen)
        if profile.name == "replay":
            return replay(profile, chosen.trace, wanted)
        return altered(profile, wanted)
    except (FitError, custom.ProfileError, trace.TraceError) as error:
        raise PrepareError(USAGE, str(error)) from error


def named(chosen: argparse.Namespace) -> Profile:
    """The profile by its name, or from its file."""
    if chosen.profile_file is not None:
        if chosen.profile is not None:
            raise FitError("say either PROFILE or --profile-file")
        try:
            return custom.parse(text_of(chosen.profile_file))
        except custom.ProfileError as error:
            raise FitError(f"{chosen.profile_file}: {error}") from error
    names = ", ".join(PROFILES)
    if chosen.profile is None:
        raise FitError(f"say which profile; there are: {names}")
    profile = PROFILES.get(chosen.profile)
    if profile is None:
        raise FitError(f"there is no profile {chosen.profile!r}; there are: {names}")
    two = chosen.aa or chosen.against is not None or chosen.against_model is not None
    if two != (profile.name == "ab"):
        raise FitError("ab needs --against URL, --against-model NAME or --aa; others take none")
    if chosen.aa:
        if chosen.against is not None or chosen.against_model is not None:
            raise FitError("--aa is one server twice: without --against")
        profile = everywhere_group(profile, SAME_SERVER)
    if chosen.trace is not None and profile.name != "replay":
        raise FitError("--trace is for the profile replay")
    return profile


def replay(profile: Profile, path: Path | None, wanted: Changes) -> Profile:
    """The profile with a trace in it."""
    if path is None:
        raise FitError("replay needs a trace: --trace FILE")
    for name in ("concurrency", "pairs", "rate"):
        if getattr(wanted, name) is not None:
            raise FitError(f"--{name} does nothing in the profile replay")
    try:
        arrivals = trace.parse(text_of(path).splitlines())
    except trace.TraceError as error:
        raise trace.TraceError(f"{path}: {error}") from error
    arrivals = trace.cut(arrivals, wanted.requests, wanted.minutes)
    return replayed(profile, trace.point(arrivals, path.name), wanted)


def text_of(path: Path) -> str:
    """What a file holds."""
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise FitError(f"{path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError:
        raise FitError(f"{path} is no text in UTF-8") from None


def arms_of(chosen: argparse.Namespace, profile: Profile) -> tuple[Profile, list[Arm]]:
    """The targets, looked at, and the profile as they can run it; raises PrepareError."""
    native = all(ask.api in NATIVE_APIS for ask in asks(profile))
    places = [
        look(name, address, model, chosen.pull, native)
        for name, address, model in targets(chosen, profile)
    ]
    descriptions = [place.description for place in places]
    verdicts = judged_by(chosen, descriptions)
    words = []
    for place in places:
        profile, found = prepared(profile, place, native)
        words.append(found)
    notes = [
        f"{place.name}: prompt lengths are not exact: {found.because}"
        for place, found in zip(places, words, strict=True)
        if found.because is not None
    ]
    if profile.name == "ab":
        notes += otherwise_counted(places, words)
        words = list(alike(words))
    arms = [
        Arm(place.name, place.address, place.description, verdict, found)
        for place, verdict, found in zip(places, verdicts, words, strict=True)
    ]
    return replace(profile, notes=(*profile.notes, *notes)), arms


def otherwise_counted(places: Sequence[Place], words: Sequence[Words]) -> Iterator[str]:
    """What to know where two servers count the same prompt differently."""
    for api in words[0].overheads:
        more = words[1].overhead(api) - words[0].overhead(api)
        if more and all(one.exact for one in words):
            how = f"{abs(more)} token{'s' * (abs(more) != 1)} {'more' if more > 0 else 'fewer'}"
            yield f"{places[1].name} counts {how} for the same prompt ({api})"


def targets(chosen: argparse.Namespace, profile: Profile) -> list[tuple[str, Address, str | None]]:
    """Name, address and model of each arm."""
    address = addressed(chosen.url)
    models = (
        chosen.model.split(",") if chosen.model and profile.name == "models" else [chosen.model]
    )
    if profile.name == "models":
        if len(set(models)) < 2:
            raise PrepareError(USAGE, "models needs two or more: --model A,B")
        return [(model, address, model) for model in models]
    if profile.name != "ab":
        return [(chosen.model or "", address, chosen.model)]
    if chosen.aa:
        return [("first", address, chosen.model), ("again", address, chosen.model)]
    other = addressed(chosen.against) if chosen.against is not None else address
    other_model = chosen.against_model or chosen.model
    if (other, other_model) == (address, chosen.model):
        raise PrepareError(USAGE, "that is the same server and model twice: --aa does that")
    ends = [(address, chosen.model), (other, other_model)]
    return [(naming(ends, place), *end) for place, end in enumerate(ends)]


def naming(ends: Sequence[tuple[Address, str | None]], place: int) -> str:
    """What an arm is called: that in which it differs from the other."""
    (address, model), (other, other_model) = ends[place], ends[1 - place]
    parts = [*([model or ""] if model != other_model else [])]
    parts += [address.authority + address.path] if address != other else []
    return " at ".join(parts)


def addressed(value: str) -> Address:
    """An address; raises PrepareError where it is none."""
    try:
        return target.parse(value)
    except ValueError as error:
        raise PrepareError(USAGE, str(error)) from error


def look(name: str, address: Address, model: str | None, fetch: bool, native: bool) -> Place:
    """Ask the target what it is and whether it has the model; raises PrepareError."""
    try:
        if native and not target.is_ollama(address):
            raise PrepareError(
                UNREACHABLE,
                f"{address} answers, but is no Ollama: it has no /api/version "
                "(--api openai-chat measures servers that speak OpenAI's API)",
            )
        entries = target.models(address)
        names = ", ".join(sorted(str(entry.get("name")) for entry in entries or [])) or "none"
        if model is None:
            raise PrepareError(USAGE, f"say which model, with --model; {address} has: {names}")
        entry = target.entry_of(model, entries or [])
        if entry is None and entries is not None:
            entry = fetched(address, model, fetch, names)
        abilities = target.abilities(address, model)
        description = target.describe(address, model, entry, abilities.context_length)
    except TargetError as error:
        raise PrepareError(UNREACHABLE, f"{address} cannot be reached: {error}") from error
    return Place(name or model, address, description, abilities)


def fetched(address: Address, model: str, fetch: bool, names: str) -> dict[str, object] | None:
    """The entry of a model that the target did not have; raises PrepareError."""
    if not fetch:
        raise PrepareError(
            USAGE,
            f"{address} has no model {model!r}; it has: {names}; "
            f"--pull fetches it, or: OLLAMA_HOST={address} ollama pull {model}",
        )
    from rich.console import Console

    try:
        pull(address, model, Console(stderr=True))
    except PullError as error:
        raise PrepareError(USAGE, f"{address} did not fetch {model!r}: {error}") from error
    return target.entry_of(model, target.models(address) or [])


def judged_by(
    chosen: argparse.Namespace, descriptions: list[Description]
) -> list[dict[str, object] | None]:
    """For each target the verdict of the conformance suite, where a run of it was given."""
    found: list[dict[str, object] | None] = [None] * len(descriptions)
    for path in chosen.conformance:
        try:
            verdicts = judged.verdict(path, descriptions, chosen.conformance_anyway)
        except judged.JudgedError as error:
            raise PrepareError(USAGE, str(error)) from error
        found = [new or old for new, old in zip(verdicts, found, strict=True)]
    return found


def prepared(profile: Profile, place: Place, native: bool) -> tuple[Profile, Words]:
    """The profile as a target can run it, and the words for its prompts.

    The first question loads the model; how much context it runs with is known only then.
    """
    found: dict[str, Words] = {}
    facts = Facts(place.description.model, place.abilities.capabilities, native=native)
    facts = replace(facts, context_length=place.abilities.context_length)
    try:
        fitted(profile, facts)
        first = asks(profile)[0].api
        found[first] = asked(place, first, profile.timeout_s)
        if native:
            running = target.running_context(place.address, place.description.model)
            facts = replace(facts, running_context=running)
        profile = fitted(profile, facts)
    except FitError as error:
        raise PrepareError(USAGE, str(error)) from error
    except TargetError as error:
        raise PrepareError(UNREACHABLE, f"{place.address}: {error}") from error
    for ask in asks(profile):
        if ask.api not in found:
            found[ask.api] = asked(place, ask.api, profile.timeout_s)
    return profile, joined(found)


def asked(place: Place, api: str, timeout_s: float) -> Words:
    """The words of a model for an API. A server that refuses for ever is refused; one that is
    busy or broken is measured, and its failures counted."""
    description = place.description
    identity = f"{description.digest} {description.version}" if description.digest else None
    try:
        return find(place.address, description.model, api, identity, cache_file(), timeout_s)
    except RefusedError as error:
        if 400 <= error.status < 500 or error.status == NOT_IMPLEMENTED:
            message = f"{description.model} at {place.address} does not do this: {error}"
            raise PrepareError(USAGE, message) from error
        print(f"before the run: {error}", file=sys.stderr)
        return Words.unknown(str(error))
    except TargetError as error:
        print(f"before the run: {error}", file=sys.stderr)
        return Words.unknown(str(error))
