"""Pull and push of the honest server: for real, to wherever the name says."""

from __future__ import annotations

import hashlib
import json
import re
import threading
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

from ..evidence import Json
from ..registry.stock import CONFIG, LAYER, MANIFEST, digest_of
from ..script import weights
from .carrier import Carrier, Download, Key, Refused
from .naming import tagged, unmarked, valid
from .shelf import HouseError, Model, Shelf

DIGEST = re.compile(r"sha256[:-][0-9a-fA-F]{64}")
TICK_S = 0.03
MUCH_BYTES, CHOKED_S = 1_000_000, 2.6
SUFFIX = re.compile(r":(local|cloud)(?=:|$)", re.IGNORECASE)

Record = dict[str, Any]


class Courier:
    """Pulls and pushes, with what is on its way."""

    def __init__(self, house: Shelf, flaw: str) -> None:
        self.house = house
        self.flaw = flaw
        self.key = Key()
        self.downloads: dict[str, Download] = {}
        self.partial: dict[str, bytearray] = {}
        self.lock = threading.Lock()
        self.turn = threading.Lock()  # of those who serve one at a time

    # -- pull -----------------------------------------------------------------------------------

    def pull(self, fields: Record, headers: dict[str, str]) -> Iterator[Record]:
        """The records of a pull. Raises HouseError."""
        name = _named(fields).strip()
        for scheme in ("http://", "https://"):
            name = name.removeprefix(scheme)
        if len(SUFFIX.findall(name)) > 1:
            raise HouseError(400, f'use either :local or :cloud, not both: "{name}"')
        name = unmarked(name)
        if not valid(name or ""):
            raise HouseError(400, "invalid model name")
        stored = tagged(name) if self.flaw == "knows case" else self.house.stored(name)
        if self.flaw == "deletes first":
            self.house.models.pop(stored, None)
        return self._told(self._pull(stored, self._carrier(fields, headers)))

    def _carrier(self, fields: Record, headers: dict[str, str]) -> Carrier:
        forwarded = ("authorization", "cookie") if self.flaw == "forwards the client" else ()
        extra = {one: headers[one] for one in forwarded if one in headers}
        insecure = bool(fields.get("insecure")) and self.flaw != "always secure"
        return Carrier(self.key, insecure, self.flaw, extra)

    def _told(self, records: Iterator[Record]) -> Iterator[Record]:
        """Errors as last records."""
        try:
            if self.flaw == "busy" and self.turn.locked():
                raise Refused("busy")
            if self.flaw in ("one at a time", "busy"):
                with self.turn:
                    yield from records
                return
            yield from records
        except Refused as error:
            yield {"error": str(error)}

    def _pull(self, name: str, carrier: Carrier) -> Iterator[Record]:
        yield {"status": "pulling manifest"}
        if self.flaw == "says it twice":
            yield {"status": "pulling manifest"}
        host, repository, tag = _parts(name)
        base = f"{carrier.base(host)}/v2/{repository}"
        try:
            content, layers = self._manifest(carrier, base, tag)
        except Refused as error:
            if self.flaw == "chokes on much" and len(str(error)) > MUCH_BYTES:
                time.sleep(CHOKED_S)
            raise Refused(f"pull model manifest: {error}") from None
        if self.flaw == "lists early":
            self._keep(name, content, layers)
        if self.flaw == "config first":
            layers = [*layers[-1:], *layers[:-1]]
        fetched: list[str] = []
        for layer in layers:
            there = layer["digest"] in self.house.blobs and self.flaw != "fetches all again"
            if there and self.flaw == "verifies the last":
                fetched = [one for one in fetched if one != layer["digest"]]
            try:
                yield from self._fetch(carrier, base, layer["digest"], there)
            except Refused:
                if self.flaw != "skips what is missing":
                    raise
                continue
            fetched += [] if there else [layer["digest"]]
        yield {"status": "verifying sha256 digest"}
        if self.flaw == "verifies once":
            digests = [layer["digest"] for layer in layers]
            fetched = [one for one in fetched if digests.count(one) == 1]
        self._verify(fetched, layers)
        yield {"status": "writing manifest"}
        if self._keep(name, content, layers) and self.flaw != "clears silently":
            yield {"status": "removing unused layers"}
        yield {"status": "success"}

    def _manifest(self, carrier: Carrier, base: str, tag: str) -> tuple[bytes, list[Record]]:
        tag = "latest" if self.flaw == "always latest" else tag
        accept = "*/*" if self.flaw == "accepts anything" else MANIFEST
        content = carrier.ask("GET", f"{base}/manifests/{tag}", Accept=accept).body
        if self.flaw == "chokes on much" and len(content) > MUCH_BYTES:
            time.sleep(CHOKED_S)
        try:
            manifest = json.loads(content)
            layers = list(manifest.get("layers") or [])
            config = manifest.get("config") or {}
            layers += [config] if config.get("digest") else []
            if self.flaw == "wants layers" and not layers:
                raise ValueError("no layers")
            return content, [dict(layer) for layer in layers]
        except (ValueError, TypeError, AttributeError) as error:
            if self.flaw == "any manifest":
                return b"{}", []
            raise Refused(str(error)) from None

    def _fetch(self, carrier: Carrier, base: str, digest: str, there: bool) -> Iterator[Record]:
        if not digest:
            raise Refused(f"{base.partition('/v2/')[2]}: digest is empty")
        if not DIGEST.fullmatch(digest) and self.flaw != "any digest":
            raise Refused("invalid digest format")
        if there:
            yield _progress("pulling", digest, len(self.house.blobs[digest]))
            return
        url = f"{base}/blobs/{digest}"
        with self.lock:
            download = self.downloads.get(digest)
            if download is None or download.cancelled or self.flaw == "shares nothing":
                download = self._download(carrier, url, digest)
            download.wanted_by += 1
        try:
            while not download.done.wait(TICK_S):
                if download.total and self.flaw != "silent":
                    yield _progress("pulling", digest, download.total, len(download.content))
            if download.error:
                raise Refused(download.error)
            self.house.blobs[digest] = bytes(download.content)
            self.partial.pop(digest, None)
        finally:
            with self.lock:
                download.leave()
                if self.downloads.get(digest) is download:
                    del self.downloads[digest]

    def _download(self, carrier: Carrier, url: str, digest: str) -> Download:
        size = int(carrier.ask("HEAD", url).headers.get("content-length", 0))
        if self.flaw == "no empty blobs" and not size:
            raise Refused("empty blob")
        direct = carrier.ask("GET", url, follow=self.flaw != "no redirects")
        if self.flaw == "no redirects" and direct.status == 307:
            raise Refused("unexpected status code 307")
        place = direct.location if direct.headers.get("location") else url
        if self.flaw == "forgets parts":
            self.partial.pop(digest, None)
        content = self.partial.setdefault(digest, bytearray())
        if self.flaw == "shares nothing":
            content = bytearray()
        made = Download(place, size, content, self.flaw, carrier.token)
        self.downloads[digest] = made
        threading.Thread(target=made.run, daemon=True).start()
        return made

    def _verify(self, fetched: list[str], layers: list[Record]) -> None:
        if self.flaw == "verifies the weights":
            fetched = fetched[:1]
        for digest in fetched:
            found = digest_of(self.house.blobs[digest])
            if found == digest or self.flaw == "verifies nothing":
                continue
            if self.flaw != "keeps what is wrong":
                del self.house.blobs[digest]
            if self.flaw == "keeps it as it is":
                self.house.blobs[found] = b"?"
            text = f"digest mismatch, file must be downloaded again: want {digest}, got {found}"
            raise Refused(text)

    def _keep(self, name: str, content: bytes, layers: list[Record]) -> bool:
        """Make it a model; whether blobs of an older one were removed."""
        old = self.house.models.get(name)
        if self.flaw == "keeps the old" and old is not None:
            return False
        if self.flaw == "writes anew":
            content = json.dumps(json.loads(content)).encode()
        self.house.models[name] = self._model(content, layers)
        used = {digest for one in self.house.models.values() for digest in _digests(one)}
        unused = [one for one in _digests(old) if one not in used] if old else []
        if self.flaw == "hoards":
            return False
        for digest in unused:
            self.house.blobs.pop(digest, None)
        return bool(unused)

    def _model(self, content: bytes, layers: list[Record]) -> Model:
        texts = {
            str(layer.get("mediaType")).removeprefix(LAYER): self.house.blobs.get(layer["digest"])
            for layer in layers
        }

        def read(kind: str) -> str:
            return (texts.get(kind) or b"").decode()

        return Model(
            template="{{ .Prompt }}"
            if self.flaw == "loses the template"
            else read("template") or "{{ .Prompt }}",
            system=read("system"),
            parameters=json.loads(read("params") or "{}"),
            digest=hashlib.sha256(content).hexdigest(),
            modified=datetime.now(UTC),
            license=read("license"),
            size=sum(layer.get("size", 0) for layer in layers),
            manifest=content,
        )

    # -- push -----------------------------------------------------------------------------------

    def push(self, fields: Record, headers: dict[str, str]) -> Iterator[Record]:
        """The records of a push. Raises HouseError."""
        name = _named(fields)
        if not name:
            raise HouseError(400, "model is required")
        return self._told(self._push(name, self._carrier(fields, headers)))

    def _push(self, name: str, carrier: Carrier) -> Iterator[Record]:
        yield {"status": "retrieving manifest"}
        model = self.house.models.get(self.house.stored(name)) if valid(name) else None
        if model is None:
            yield {"status": "couldn't retrieve manifest"}
            raise Refused(f"model '{name}' not found")
        if self.flaw == "pushes the original":
            same = [key for key, one in self.house.models.items() if one.digest == model.digest]
            name = same[0]
        manifest = json.loads(model.manifest or self._made(model))
        host, repository, tag = _parts(self.house.stored(name))
        base = f"{carrier.base(host)}/v2/{repository}"
        blobs = [*manifest["layers"], manifest["config"]]
        if self.flaw == "manifest first":
            self._put_manifest(carrier, base, tag, manifest)
        for layer in blobs[:-1] if self.flaw == "no config" else blobs:
            yield from self._bring(carrier, base, layer)
        yield {"status": "pushing manifest"}
        if self.flaw != "manifest first":
            self._put_manifest(carrier, base, tag, manifest)
        yield {"status": "success"}
        if self.flaw == "loses what it pushed":
            del self.house.models[self.house.stored(name)]

    def _put_manifest(self, carrier: Carrier, base: str, tag: str, manifest: Record) -> None:
        if self.flaw == "loses origins":
            for layer in manifest["layers"]:
                layer.pop("from", None)
        tag = "latest" if self.flaw == "always latest" else tag
        kind = "application/json" if self.flaw == "plain JSON" else MANIFEST
        content = json.dumps(manifest, separators=(",", ":")).encode()
        try:
            carrier.ask("PUT", f"{base}/manifests/{tag}", content, Content_Type=kind)
        except Refused:
            if self.flaw != "ignores refusals":
                raise

    def _bring(self, carrier: Carrier, base: str, layer: Record) -> Iterator[Record]:
        digest = layer["digest"]
        content = self.house.blobs[digest]
        whole = _progress("pushing", digest, len(content))
        if self.flaw not in ("asks nothing", "brings all again"):
            try:
                carrier.ask("HEAD", f"{base}/blobs/{digest}")
            except Refused as error:
                if str(error) != "file does not exist":
                    raise
            else:
                yield whole
                return
        url = f"{base}/blobs/uploads/"
        origin = layer.get("from") or ("library/any" if self.flaw == "mounts anything" else "")
        if origin and self.flaw != "never mounts":
            url += "?" + urlencode({"mount": digest, "from": origin})
        started = carrier.ask("POST", url)
        if started.status == 201 and self.flaw != "brings what is mounted":
            yield whole
            return
        place = self._next(started.headers)
        yield _progress("pushing", digest, len(content), 0)
        place = self._chunk(carrier, place or f"{base}/uploads/1/0?_state=s1", content)
        etag = hashlib.md5(hashlib.md5(content).digest()).hexdigest()
        ends = {"digest": digest, "etag": etag if self.flaw == "half an etag" else f"{etag}-1"}
        body = content if self.flaw == "all in the PUT" else b""
        carrier.ask("PUT", f"{place}&{urlencode(ends)}", body)
        yield whole

    def _next(self, headers: Mapping[str, str]) -> str:
        names: tuple[str, ...] = ("docker-upload-location", "location")
        if self.flaw == "goes by Location":
            names = ("location",)
        if self.flaw == "knows no Location":
            names = names[:1]
        return next((headers[one] for one in names if one in headers), "")

    def _chunk(self, carrier: Carrier, place: str, content: bytes) -> str:
        if self.flaw == "all in the PUT":
            return place
        said = f"0-{max(0, len(content) - 1)}"
        if self.flaw == "ranges past the end":
            said = f"0-{len(content)}"
        for attempt in range(2):
            try:
                got = carrier.ask(
                    "PATCH",
                    place,
                    content,
                    Content_Range=said,
                    Content_Type="application/octet-stream",
                    X_Redirect_Uploads="1",
                )
                break
            except Refused:
                if attempt or self.flaw == "no second try":
                    raise
        if got.status == 307:
            bare = Carrier(self.key, carrier.insecure)
            bare = carrier if self.flaw == "token to anyone" else bare
            if self.flaw != "brings nothing elsewhere":
                bare.ask("PUT", got.headers["location"], content)
        return got.headers.get("docker-upload-location") or got.headers["location"]

    def _made(self, model: Model) -> bytes:
        """A manifest for a model that was created here."""
        texts = {
            "model": weights(),
            "template": model.template.encode(),
            "params": b"" if self.flaw == "no params" else json.dumps(model.parameters).encode(),
            "system": model.system.encode(),
        }
        config = json.dumps({"model_format": "gguf", "model_family": "llama"}).encode()
        layers = [(LAYER + kind, content) for kind, content in texts.items() if content]
        entries = []
        for kind, content in [*layers, (CONFIG, config)]:
            digest = digest_of(content)
            self.house.blobs[digest] = content
            entries.append({"mediaType": kind, "digest": digest, "size": len(content)})
        told = {"schemaVersion": 2, "mediaType": MANIFEST, "config": entries.pop()}
        return json.dumps({**told, "layers": entries}).encode()


def _named(fields: Record) -> str:
    name: Json = fields.get("model") or fields.get("name") or ""
    if not isinstance(name, str):
        raise HouseError(400, "model must be a string")
    return name


def _parts(name: str) -> tuple[str, str, str]:
    """Host, NAMESPACE/MODEL and tag."""
    path, _, tag = tagged(name).rpartition(":")
    parts = path.split("/")
    host, namespace = (
        ["registry.ollama.ai", "library", *parts][-3:-1] if len(parts) < 3 else parts[:2]
    )
    return host, f"{namespace}/{parts[-1]}", tag


def _digests(model: Model) -> list[str]:
    if not model.manifest:
        return []
    manifest = json.loads(model.manifest)
    config = manifest.get("config") or {}
    return [one["digest"] for one in [*(manifest.get("layers") or []), config] if one]


def _progress(verb: str, digest: str, total: int, completed: int | None = None) -> Record:
    """A record about one blob; zeros are left out, as Go does."""
    told = {"total": total, "completed": total if completed is None else completed}
    named = {"status": f"{verb} {digest[7:19]}", "digest": digest}
    return named | {key: value for key, value in told.items() if value}
