"""Every check passes an honest server, and catches a liar of its own."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from .. import run
from ..address import parse_address
from ..check import CHECKS, Check
from ..run import dismiss, judge, load_checks, prepare
from ..script import SEEING, load_script
from ..setup import Setup
from ..target import Target
from ..witness import Witness
from .honest import TRUTH, Lie, Server, serving, serving_server
from .kinds import EMBEDS, SEES
from .liars import LIARS
from .liars.liar import Liar
from .shelf import Model
from .test_run import valid

THREADS = 6
ENOUGH = 75  # made-up requests of a family, so that catching is no luck
ATTEMPTS = 2  # at a check of a clock: who is not caught the first time gets away, anyhow
PREFIX = "parallama-check-liar"

load_checks()
PLAIN = {id: one for id, one in CHECKS.items() if not one.law}
LAWS = {id: one for id, one in CHECKS.items() if one.law}


@pytest.fixture(scope="module")
def honest() -> Iterator[Setup]:
    """An honest server, prepared as every target is."""
    with serving(TRUTH) as url:
        setup = prepare(parse_address(url), None, silence_s=5.0)
        yield setup
        dismiss(setup)


@pytest.fixture(scope="module")
def witness() -> Witness:
    """Who hears all that the honest server says."""
    return Witness()


@pytest.mark.parametrize("check", PLAIN.values(), ids=PLAIN)
def test_honest_server_passes(honest: Setup, witness: Witness, check: Check) -> None:
    """No false alarm."""
    line = judge(check, honest, witness=witness)
    assert line["verdict"] == "passed", line["actual"]


@pytest.mark.parametrize("check", LAWS.values(), ids=LAWS)
def test_honest_server_breaks_no_law(honest: Setup, witness: Witness, check: Check) -> None:
    """No false alarm over all that was answered, nor over the little that a law asks itself."""
    for heard in (witness, None):
        line = judge(check, honest, witness=heard)
        assert line["verdict"] == "passed", (line["reason"], line["expected"], line["actual"])


def provided(server: Server) -> Setup:
    """A liar's models, put there without asking it."""
    script = load_script()
    for word, template in (("scripted", script.template), ("plain", script.plain_template)):
        server.house.models[f"{PREFIX}/{word}:latest"] = Model(
            template,
            "",
            dict(script.parameters),
            word.encode().hex().ljust(64, "0"),
            datetime.now(UTC),
        )
    album = load_script(SEEING)
    for kind, template in ((EMBEDS, "{{ .Prompt }}"), (SEES, album.template)):
        server.house.models[f"{PREFIX}/{kind}:latest"] = Model(
            template, "", {}, kind.encode().hex().ljust(64, "0"), datetime.now(UTC), kind=kind
        )
    names = (f"{PREFIX}/scripted", f"{PREFIX}/plain")
    extras = {kind: f"{PREFIX}/{kind}" for kind in (EMBEDS, SEES)}
    made = prepare_plainly(server.url)
    return replace(made, model=names[0], plain=names[1], extras=extras)


def prepare_plainly(url: str) -> Setup:
    """A setup without probes: every class counts as offered."""
    from ..run import UNKNOWING
    from ..setup import Provision

    return Setup(url, "liar", None, None, True, UNKNOWING, Provision(True), silence_s=2.0)


def caught(liar: Liar) -> dict[str, Any]:
    """The verdict of the check that has to catch a liar."""
    with serving_server(liar.lie) as server:
        setup, witness = replace(provided(server), fuzz=ENOUGH), Witness()
        for met in liar.met_by:
            judge(CHECKS[met], setup, witness=witness)
        return judge(CHECKS[liar.check], setup, witness=witness)


@pytest.fixture(scope="module")
def verdicts() -> dict[str, dict[str, Any]]:
    """Every liar's verdict; several are judged at a time, those of a clock alone."""
    hasty = [liar for liar in LIARS if not CHECKS[liar.check].race]
    with ThreadPoolExecutor(THREADS) as pool:
        found = dict(zip((one.name for one in hasty), pool.map(caught, hasty), strict=True))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(run, "RACE_ATTEMPTS", ATTEMPTS)
        return found | {liar.name: caught(liar) for liar in LIARS if CHECKS[liar.check].race}


@pytest.mark.parametrize("liar", LIARS, ids=lambda liar: liar.name.replace(" ", "-"))
def test_liar_is_caught(verdicts: dict[str, dict[str, Any]], liar: Liar) -> None:
    """Its check fails, and nothing in us breaks over it."""
    line = verdicts[liar.name]
    valid(json.loads(json.dumps(line, allow_nan=False)))
    assert line["verdict"] == "failed", (line["verdict"], line["reason"], line["actual"])


def test_liars_have_names_of_their_own() -> None:
    """A name stands for one liar."""
    assert len({liar.name for liar in LIARS}) == len(LIARS)


def test_every_check_has_a_liar(
    verdicts: dict[str, dict[str, Any]], capsys: pytest.CaptureFixture[str]
) -> None:
    """No check is there that nothing has shown to catch anything."""
    lies = [liar for liar in LIARS if liar.lie is not TRUTH and isinstance(liar.lie, Lie)]
    share = sum(verdicts[liar.name]["verdict"] == "failed" for liar in lies)
    with capsys.disabled():
        print(f"\nliars caught: {share} of {len(lies)}, over {len(CHECKS)} checks")
    assert set(CHECKS) - {liar.check for liar in lies} - {"create/provision"} == set()


def test_failed_provision_is_a_verdict() -> None:
    """A target on which nothing can be created fails create/provision."""
    from .lies import refuses

    with serving(refuses("/api/create", lambda fields: True, 500)) as url:
        setup = prepare(parse_address(url), None)
    assert judge(CHECKS["create/provision"], setup)["verdict"] == "failed"
    assert setup.model is None


def test_setup_travels() -> None:
    """A setup survives the way to another process."""
    from ..setup import read_setup

    setup = prepare_plainly("http://127.0.0.1:1")
    assert read_setup(json.loads(json.dumps(setup.document()))) == setup


def test_target_deletes_what_a_check_created(honest: Setup) -> None:
    """Nothing of a check is left."""
    target = Target(honest)
    name = target.temporary("left")
    target.post("/api/copy", source=target.model, destination=name)
    target.clean()
    assert target.post("/api/show", model=name).status == 404
