"""The command line of a run, and what pytest is told of it."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

OUT = Path("out/conformance")
UNUSED = ("terminal", "faulthandler", "logging", "unraisableexception")  # of pytest's plugins
STATUSES = "Exit status: 0 no MUST failed, 1 findings, 2 usage, 3 unreachable, 4 our fault."
COMMANDS = """\
Commands (NAME --help tells more):
  record URL -o FILE          what the suite asks and a server answers, as goldens
  compare RUN RUN             two runs: newly failing, newly passing; status 1 when worse
  matrix [NAME=]RUN... -o FILE   servers by classes, a page
  baseline RUN                a baseline of what failed in a run
"""


def parse(arguments: Sequence[str] | None, *, recording: bool = False) -> argparse.Namespace:
    """The command line of a run; that of `record` has fewer options and an -o FILE."""
    parser = argparse.ArgumentParser(
        prog="parallama-conformance" + (" record" if recording else ""),
        description="Judge a server by the Ollama API. With no URL: OLLAMA_HOST, else port 11434.",
        epilog=STATUSES if recording else f"{STATUSES}\n\n{COMMANDS}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    # fmt: off
    add("url", nargs="?", metavar="URL", help="the server, such as http://127.0.0.1:11434")
    add("--model", metavar="NAME", help="a model that is there; none is created then")
    add("-k", dest="expression", metavar="EXPR", help="only checks whose ids match (as in pytest)")
    add("--class", dest="classes", action="append", default=[], metavar="NAME", help="only this")
    add("--level", metavar="LEVEL", help="must, should (and must) or may (all, the default)")
    add("-n", dest="workers", metavar="N", help="that many processes (as in pytest-xdist)")
    add("--registry-host", metavar="HOST",
        help="how a target on another machine reaches this one: models are pulled from here")
    add("--registry-bind", metavar="ADDRESS",
        help="where that registry listens, if not at the address of --registry-host")
    add("--fuzz", metavar="N", type=int, default=0,
        help="how many requests of each family are made up (25)")
    add("--fuzz-seed", metavar="N", type=int, default=0,
        help="which ones: the same number, the same requests (0)")
    add("--keep", action="store_true",
        help="leave the models that the run creates, and print how to delete them")
    if recording:
        parser.description = "Record what the suite asks and a server answers, normalised."
        add("-o", dest="record", metavar="FILE", type=Path, default=OUT / "exchanges.jsonl",
            help="where the recording goes (out/conformance/exchanges.jsonl)")
        parser.set_defaults(**_UNASKED)
    else:
        _add_judging(parser)
    # fmt: on
    return parser.parse_args(arguments)


_UNASKED = {
    "claims": [], "strict": False, "out": OUT, "list": False, "json": False, "first": False,
    "last_failed": False, "junit": None, "baseline": None, "reference": None,
}  # fmt: skip


def _add_judging(parser: argparse.ArgumentParser) -> None:
    """The options that say what counts, and what becomes of it."""
    add = parser.add_argument
    # fmt: off
    add("--claim", dest="claims", action="append", default=[], metavar="NAME",
        help="a class that must be there: its absence is a finding")
    add("--strict", action="store_true", help="a failed SHOULD counts, too")
    add("--baseline", metavar="FILE", type=Path,
        help="failures that are known: tolerated until they expire, red once they pass")
    add("--reference", metavar="URL",
        help="a second server (or a file of `record`): shows where answers part")
    add("-x", dest="first", action="store_true", help="stop at the first finding (as in pytest)")
    add("--lf", dest="last_failed", action="store_true",
        help="only what failed last time into the same -o DIR (as in pytest)")
    add("--junitxml", dest="junit", metavar="FILE", type=Path,
        help="where the JUnit file goes (DIR/junit.xml)")
    add("-o", dest="out", metavar="DIR", type=Path, default=OUT,
        help="where run.jsonl, junit.xml, report.html and the badges go (out/conformance)")
    add("--list", action="store_true", help="list the checks and run none")
    add("--json", action="store_true", help="with --list: as JSON, for tools")
    # fmt: on
    parser.set_defaults(record=None)


def pytest_arguments(asked: argparse.Namespace, url: str, suites: Path) -> list[str]:
    """A run in the words of pytest and of our plugin."""
    given = ["-c", "/dev/null", "--rootdir", str(suites), "-p", f"{__package__}.plugin"]
    given += [word for name in UNUSED for word in ("-p", f"no:{name}")]
    given += ["--assert=plain", "--capture=no", "--target", url]
    given += ["-o", f"cache_dir={(asked.out / '.cache').resolve()}"]  # for --lf
    given += ["-p", "no:cacheprovider"] if asked.list or asked.record else []
    given += ["-p", "xdist.plugin", "-n", asked.workers] if asked.workers else []
    for option in ("model", "level", "registry_host", "registry_bind", "baseline", "reference",
                   "fuzz", "fuzz_seed"):  # fmt: skip
        value = getattr(asked, option)
        given += [f"--target-{option.replace('_', '-')}", str(value)] if value else []
    given += ["--target-strict"] if asked.strict else []
    given += ["--target-record"] if asked.record else []
    given += ["--target-keep"] if asked.keep else []
    given += ["-k", asked.expression] if asked.expression else []
    given += ["-x"] if asked.first else []
    given += ["--lf"] if asked.last_failed else []
    given += ["--collect-only"] if asked.list else []
    given += [word for name in asked.classes for word in ("--target-class", name)]
    return given + [word for name in asked.claims for word in ("--target-claim", name)]
