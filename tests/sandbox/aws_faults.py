"""A proxy in front of the embedded AWS that makes calls fail, before or after AWS gets them."""

import http.client
import json
import re
import ssl
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from typing import Any, NamedTuple

from tests.loopback import LoopbackServer
from tests.sandbox.aws import EmbeddedAws

_HELD_SECONDS = 15
_HTML = b"<!DOCTYPE html><title>Sign in</title><body>" + b"Sign in to the network.<br>" * 99

Response = tuple[dict[str, str], bytes]  # headers, in lower case, and content


def _with_json(change: Callable[[dict[str, Any]], object]) -> Callable[[dict[str, str], bytes], Response]:
    def changed(headers: dict[str, str], content: bytes) -> Response:
        fields: dict[str, Any] = json.loads(content)
        change(fields)
        return headers, json.dumps(fields).encode()

    return changed


# Responses of a company's proxy, with status 200; AWS does not get the call.
BY_PROXY = {"empty with 200": b"", "html with 200": _HTML, "null with 200": b"null", "list with 200": b"[]"}
# Changes to a valid response of AWS.
_MALFORMED: dict[str, Callable[[dict[str, str], bytes], Response]] = {
    "no etag": lambda headers, content: ({name: headers[name] for name in headers if name != "etag"}, content),
    "empty etag": lambda headers, content: (headers | {"etag": ""}, content),
    "bad date": lambda headers, content: (headers | {"last-modified": "yesterday"}, content),
    "cut in the middle": lambda headers, content: (headers | {"content-length": str(len(content))}, content[:-9]),
    "no results": _with_json(lambda fields: fields.pop("Entries")),
    "fewer results": _with_json(lambda fields: fields["Entries"].pop()),
    "more results": _with_json(lambda fields: fields["Entries"].append(fields["Entries"][0])),
    "results without an id": _with_json(lambda fields: [entry.clear() for entry in fields["Entries"]]),
    "results that are null": _with_json(lambda fields: fields.update(Entries=[None] * len(fields["Entries"]))),
    "results that are texts": _with_json(lambda fields: fields.update(Entries="x" * len(fields["Entries"]))),
    "failures that no result shows": _with_json(lambda fields: fields.update(FailedEntryCount=1)),
    "neither text nor binary": _with_json(lambda fields: fields.pop("SecretString")),
    "secret that is a number": _with_json(lambda fields: fields.update(SecretString=5)),
}


class AwsFault(NamedTuple):
    """A fault of `times` calls that match `only`, beginning with number `first` (from 0).

    `kind` is an HTTP status with AWS's error code, as in `503 SlowDown` (or with `html`, as a proxy sends it), or
    `dropped before`, `dropped after`, `held`, `entries refused`, or a key of BY_PROXY or _MALFORMED.
    """

    kind: str
    first: int
    times: int
    only: str = ""  # a pattern that is searched in the call's method, path and X-Amz-Target


class FlakyAws(LoopbackServer):
    """Set its `fault` between runs; since then, `calls` counts the calls that match it, `hits` those that failed."""

    daemon_threads = True

    def __init__(self, aws: EmbeddedAws) -> None:
        super().__init__(_Call)
        self.aws = aws
        self.tls = ssl.create_default_context(cafile=str(aws.certificate))
        self.endpoint = f"http://127.0.0.1:{self.server_port}"
        self._lock = threading.Lock()
        self.set(None)

    def set(self, fault: AwsFault | None) -> None:
        self.fault = fault
        self.calls = self.hits = 0

    def next_kind(self, call: str) -> str:
        """Count a call, and return the kind of its fault; empty for none."""
        with self._lock:
            fault = self.fault
            if fault is None or not re.search(fault.only, call):
                return ""
            number, self.calls = self.calls, self.calls + 1
            if not fault.first <= number < fault.first + fault.times:
                return ""
            self.hits += 1
            return fault.kind


class _Call(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: FlakyAws

    def answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        kind = self.server.next_kind(f"{self.command} {self.path} {self.headers.get('X-Amz-Target', '')}")
        if kind == "entries refused":
            body, refused = self.without_some_entries(body)
        if kind == "held":
            time.sleep(_HELD_SECONDS)
        if kind in {"dropped before", "held"}:
            self.close_connection = True
        elif kind in BY_PROXY:
            self.reply(200, {"content-type": "text/html"}, BY_PROXY[kind])
        elif kind[:1].isdigit():
            number, code = kind.split()
            self.reply(int(number), *self.error(code))
        else:
            status, headers, content = self.forward(body)
            if kind == "entries refused":
                headers, content = self.with_refusals(headers, content, refused)
            if kind in _MALFORMED:
                headers, content = _MALFORMED[kind]({name.lower(): headers[name] for name in headers}, content)
            if kind == "dropped after":
                self.close_connection = True
            else:
                self.reply(status, headers, content, cut=kind == "cut in the middle")

    do_GET = do_PUT = do_POST = do_HEAD = answer  # noqa: N815

    def forward(self, body: bytes) -> tuple[int, dict[str, str], bytes]:
        connection = http.client.HTTPSConnection("127.0.0.1", self.server.aws.port, context=self.server.tls)
        connection.request(self.command, self.path, body, dict(self.headers))
        response = connection.getresponse()
        content = response.read()
        connection.close()
        return response.status, dict(response.getheaders()), content

    def error(self, code: str) -> tuple[dict[str, str], bytes]:
        if code == "html":
            return {"content-type": "text/html"}, _HTML
        if "X-Amz-Target" in self.headers:
            content = json.dumps({"__type": code, "message": "Simulated."}).encode()
            return {"Content-Type": "application/x-amz-json-1.1"}, content
        return {"Content-Type": "application/xml"}, f"<Error><Code>{code}</Code></Error>".encode()

    def without_some_entries(self, body: bytes) -> tuple[bytes, int]:
        """Return the body of a PutEvents without half of its entries, and how many were removed; others unchanged."""
        if not self.headers.get("X-Amz-Target", "").endswith("PutEvents"):
            return body, 0
        entries = json.loads(body)["Entries"]
        kept = entries[: len(entries) // 2]
        return json.dumps({"Entries": kept or entries}).encode(), len(entries) - len(kept) if kept else 0

    def with_refusals(self, headers: dict[str, str], content: bytes, refused: int) -> tuple[dict[str, str], bytes]:
        if not refused:
            return headers, content
        response: dict[str, Any] = json.loads(content)
        response["Entries"] += [{"ErrorCode": "ThrottlingException"}] * refused
        response["FailedEntryCount"] = refused
        return headers, json.dumps(response).encode()

    def reply(self, status: int, headers: dict[str, str], content: bytes, *, cut: bool = False) -> None:
        self.close_connection |= cut
        self.send_response_only(status)
        for name, value in headers.items():
            if name.lower() not in {"content-length", "transfer-encoding", "connection"}:
                self.send_header(name, value)
        promised = headers.get("content-length", "0") if self.command == "HEAD" or cut else str(len(content))
        self.send_header("Content-Length", promised)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)
