"""The honest server's way to a registry: requests with tokens and redirects, and downloads."""

from __future__ import annotations

import base64
import hashlib
import http.client
import json
import re
import secrets
import socket
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlencode, urljoin, urlsplit

from ..registry.ed25519 import BASE, ORDER, encode, hashed, multiply

AGENT = "ollama/0.12.3 (amd64 linux) honest"
EMPTY_SUM = base64.b64encode(hashlib.sha256(b"").hexdigest().encode()).decode()
TRIES = 4
PIECE = 16_384


class Refused(Exception):  # noqa: N818
    """The registry, or the way to it, says no."""


class Key:
    """A pair of keys, as a server makes it when it starts for the first time."""

    def __init__(self) -> None:
        raw = bytearray(hashlib.sha512(secrets.token_bytes(32)).digest())
        self.prefix = bytes(raw[32:])
        raw[0] &= 248
        raw[31] = raw[31] & 127 | 64
        self.scalar = int.from_bytes(raw[:32], "little")
        self.public = encode(multiply(self.scalar, BASE))

    def sign(self, message: bytes) -> str:
        """PUBLIC KEY:SIGNATURE, as the registry wants it."""
        nonce = hashed(self.prefix, message)
        point = encode(multiply(nonce, BASE))
        answer = (nonce + hashed(point, self.public, message) * self.scalar) % ORDER
        wire = b"\0\0\0\x0bssh-ed25519\0\0\0\x20" + self.public
        signature = point + answer.to_bytes(32, "little")
        return f"{base64.b64encode(wire).decode()}:{base64.b64encode(signature).decode()}"


@dataclass(frozen=True)
class Got:
    """An answer of the registry."""

    url: str
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def location(self) -> str:
        """Where it sends us."""
        return urljoin(self.url, self.headers.get("location", ""))


@dataclass
class Carrier:
    """Requests of one operation: the token is kept between them."""

    key: Key
    insecure: bool
    flaw: str = ""
    extra: dict[str, str] = field(default_factory=dict)  # of the client, which is no one's business
    token: str = ""
    nonce: str = ""

    def base(self, host: str) -> str:
        """Where a registry is."""
        return f"{'http' if self.insecure or self.flaw == 'always plain' else 'https'}://{host}"

    def ask(
        self, method: str, url: str, body: bytes = b"", follow: bool = False, **headers: str
    ) -> Got:
        """One request, with a token if there is one, and once more with a token if it needs one."""
        given = {name.replace("_", "-"): text for name, text in headers.items()} | self.extra
        got = self._once(method, url, body, given)
        for _ in range(2):
            if got.status != 401:
                break
            self.token = self._fetch_token(got)
            got = self._once(method, url, body, given)
            if self.flaw == "forgets tokens":
                self.token = ""
            if got.status == 401 and self.flaw != "third try":
                raise Refused("unauthorized: access denied")
        for _ in range(10):
            if got.status not in (301, 302, 307) or not follow:
                break
            if urlsplit(got.location).hostname != urlsplit(url).hostname:
                break
            if self.flaw == "one redirect":
                raise Refused("too many redirects")
            got = self._once("GET", got.location, b"", given)
        if got.status == 404:
            raise Refused("file does not exist")
        if got.status >= 400:
            raise Refused(f"{got.status}: {got.body.decode(errors='replace')}")
        return got

    def _once(self, method: str, url: str, body: bytes, headers: dict[str, str]) -> Got:
        parts = urlsplit(url)
        given = {"User-Agent": AGENT, **headers}
        if self.flaw == "no agent":
            given["User-Agent"] = "Python-urllib/3.11"
        if self.token:
            given["Authorization"] = f"Bearer {self.token}"
        secure = parts.scheme == "https"
        kind = http.client.HTTPSConnection if secure else http.client.HTTPConnection
        connection = kind(parts.netloc, timeout=10)
        try:
            connection.request(method, f"{parts.path}?{parts.query}".rstrip("?"), body, given)
            answer = connection.getresponse()
            names = {name.lower(): value for name, value in answer.getheaders()}
            return Got(url, answer.status, names, answer.read())
        except (OSError, http.client.HTTPException) as error:
            raise Refused(f'{method} "{url}": {error}') from None
        finally:
            connection.close()

    def _fetch_token(self, refused: Got) -> str:
        challenge = dict(
            re.findall(r'(\w+)="([^"]*)"', refused.headers.get("www-authenticate", ""))
        )
        realm = challenge.get("realm", "")
        host = urlsplit(realm).netloc
        if host != urlsplit(refused.url).netloc and self.flaw != "any realm":
            raise Refused(
                f'realm host "{host}" does not match original host "{urlsplit(refused.url).netloc}"'
            )
        scopes = challenge.get("scope", "").split(" ")
        if self.flaw == "first scope":
            scopes = scopes[:1]
        nonce = base64.urlsafe_b64encode(secrets.token_bytes(16)).decode().rstrip("=")
        if self.flaw == "same nonce":
            nonce = "A" * 22
        query = [("nonce", nonce), *(("scope", scope) for scope in scopes)]
        query += [("service", challenge.get("service", "")), ("ts", str(int(time.time())))]
        url = f"{realm}?{urlencode(query)}"
        signed = self.key.sign(f"GET,{url},{EMPTY_SUM}".encode())
        if self.flaw == "signs the realm":
            signed = self.key.sign(realm.encode())
        headers = {} if self.flaw == "unsigned" else {"Authorization": signed}
        self.token = ""
        got = self._once("GET", url, b"", headers)
        if got.status >= 400 and self.flaw != "any token":
            raise Refused(f"{got.status}: {got.body.decode(errors='replace')}")
        return str(json.loads(got.body).get("token", ""))


@dataclass
class Download:
    """A blob on its way, for as many as want it."""

    url: str
    total: int
    content: bytearray
    flaw: str = ""
    token: str = ""
    error: str = ""
    wanted_by: int = 0
    cancelled: bool = False
    done: threading.Event = field(default_factory=threading.Event)
    connection: http.client.HTTPConnection | None = None

    def run(self) -> None:
        """Fetch it, part after part where it is cut."""
        tries = 1 if self.flaw == "no second try" else TRIES
        try:
            if self.flaw == "fetches twice":
                self._part()
                self.content.clear()
            for _ in range(tries):
                if len(self.content) >= self.total or self.cancelled:
                    break
                if self.flaw == "starts over":
                    self.content.clear()
                try:
                    self._part()
                except (OSError, http.client.HTTPException, ValueError) as error:
                    self.error = str(error) or "EOF"
                time.sleep(0.01)
            if len(self.content) >= self.total:
                self.error = ""
            elif not self.error:
                self.error = "max retries exceeded: EOF"
        finally:
            self.done.set()

    def _part(self) -> None:
        parts = urlsplit(self.url)
        self.connection = http.client.HTTPConnection(parts.netloc, timeout=10)
        last = self.total if self.flaw == "range past the end" else self.total - 1
        headers = {"Range": f"bytes={len(self.content)}-{last}"}
        if self.flaw == "no range":
            headers = {}
            self.content.clear()
        if self.token and self.flaw == "token to anyone":
            headers["Authorization"] = f"Bearer {self.token}"
        try:
            self.connection.request("GET", parts.path, headers=headers)
            answer = self.connection.getresponse()
            if answer.status not in (200, 206) and self.flaw != "keeps error pages":
                raise ValueError(f"status {answer.status}")
            while not self.cancelled and (piece := answer.read1(PIECE)):
                self.content += piece
            if answer.status >= 400:
                self.content += b"\0" * (self.total - len(self.content))
        finally:
            self.connection.close()

    def leave(self) -> None:
        """One who wanted it has gone."""
        self.wanted_by -= 1
        alone = self.wanted_by <= 0 or self.flaw == "the first who leaves"
        if self.done.is_set() or not alone or self.flaw == "never lets go":
            return
        self.cancelled = True
        if self.connection is not None and self.connection.sock is not None:
            try:
                self.connection.sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                return
        self.error = "context canceled"
