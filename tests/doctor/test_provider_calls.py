"""Calls to providers: in memory and virtual time, and over real sockets."""

from __future__ import annotations

import json
import socket
import ssl
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
import trio
import trustme
from trio.testing import MockClock

from aibridge_trio.config.provider_tables import BUILT_IN, KeyTable, ProviderTable
from aibridge_trio.config.settings import Secret, Settings
from aibridge_trio.doctor.finding import Finding
from aibridge_trio.doctor.provider_calls import ProviderCalls
from aibridge_trio.http.message import Reply, Request
from aibridge_trio.upstream.transport import Transports
from tests.support.local_server import serving
from tests.support.network import Network

NOW = 1_700_000_000.0
DATE = (b"date", formatdate(NOW, usegmt=True).encode())


def settings_of(*tables: ProviderTable, **options: Any) -> Settings:
    """Only these providers."""
    return Settings(provider_tables=tables, disabled_providers=frozenset(BUILT_IN), **options)


def table(base_url: str = "http://host/v1", *keys: str, **options: Any) -> ProviderTable:
    """A provider with these keys, named after their numbers."""
    named = tuple(KeyTable(label=f"KEY_{number}", secret=Secret(key)) for number, key in enumerate(keys))
    return ProviderTable(**{"name": "own", "dialect": "openai", "base_url": base_url, "keys": named, **options})


def says(finding: Finding, level: str, text: str) -> None:
    """Check level and text of a finding, and that no key is in it."""
    assert finding.level == level, finding
    assert text in finding.text
    assert "hunter2" not in str(finding)
    assert level == "ok" or finding.remedy


async def found(
    nursery: trio.Nursery,
    provider: ProviderTable,
    statuses: dict[bytes, int] | int,
    seen: list[Request] | None = None,
    clock: float = NOW,
) -> tuple[list[Finding], list[float]]:
    """What is found where a host answers with this status, or one for each Authorization."""
    network = Network(nursery)

    async def answer(request: Request, reply: Reply) -> None:
        if seen is not None:
            seen.append(request)
        key = dict(request.headers).get(b"authorization", b"")
        status = statuses if isinstance(statuses, int) else statuses[key]
        await reply.answer(status, [DATE], b"{}")

    await network.answer("host", answer)
    calls = ProviderCalls(settings_of(provider), network.way_out, 5.0, lambda: clock)
    return await calls.run(), calls.offsets


@pytest.mark.parametrize(
    ("status", "level", "text"),
    [
        (200, "ok", "the key KEY_0 is accepted"),
        (401, "error", "answers 401 for the key KEY_0: it is not accepted"),
        (402, "error", "there is no credit"),
        (403, "warning", "may not list models"),
        (404, "warning", "so the key was not tried"),
        (400, "warning", "so the key was not tried"),
        (429, "warning", "its quota is spent"),
        (302, "warning", "a redirect"),
        (503, "error", "answers 503"),
    ],
)
async def test_a_key_is_tried(
    nursery: trio.Nursery, autojump_clock: MockClock, status: int, level: str, text: str
) -> None:
    """What the answer says of it, without the key; and what the provider's clock says."""
    seen: list[Request] = []
    [finding], offsets = await found(nursery, table("http://host/v1", "sk-hunter2"), status, seen, NOW + 90)
    says(finding, level, text)
    assert finding.where == "own http://host/v1"
    assert offsets == [90.0]
    assert [(each.method, each.path) for each in seen] == [("GET", b"/v1/models")]
    assert (b"authorization", b"Bearer sk-hunter2") in seen[0].headers


@pytest.mark.parametrize(
    ("keyless", "status", "level", "text"),
    [
        (False, 401, "ok", "callers bring their own"),
        (False, 200, "ok", "callers bring their own"),
        (False, 404, "warning", "answers 404 to its list of models"),
        (True, 200, "ok", "it needs no key"),
        (True, 401, "warning", 'the table says key = "none"'),
    ],
)
async def test_without_a_key_an_answer_is_enough(
    nursery: trio.Nursery, autojump_clock: MockClock, keyless: bool, status: int, level: str, text: str
) -> None:
    """Callers bring theirs; a provider that needs none has to serve without one."""
    [finding], _ = await found(nursery, table(keyless=keyless), status)
    says(finding, level, text)


async def test_each_key_has_its_finding(nursery: trio.Nursery, autojump_clock: MockClock) -> None:
    """In the order of the configuration, also where two have one label."""
    statuses = {b"Bearer a": 200, b"Bearer b": 401, b"Bearer c": 200}
    findings, _ = await found(nursery, table("http://host/v1", "a", "b", "c"), statuses)
    assert [each.level for each in findings] == ["ok", "error", "ok"]


async def test_headers_are_those_of_serve(nursery: trio.Nursery, autojump_clock: MockClock) -> None:
    """The table's own, and what Anthropic requires unless the table has it."""
    seen: list[Request] = []
    provider = table("http://host", "k", dialect="anthropic", headers=(("x-team", "a"),))
    await found(nursery, provider, 200, seen)
    assert seen[0].path == b"/v1/models"
    headers = dict(seen[0].headers)
    assert (headers[b"anthropic-version"], headers[b"x-api-key"]) == (b"2023-06-01", b"k")
    assert headers[b"x-team"] == b"a"


async def test_a_provider_that_is_away_has_one_finding(nursery: trio.Nursery, autojump_clock: MockClock) -> None:
    """However many keys it has: each would say the same. Refused and silent; neither outlasts its deadline."""
    network = Network(nursery)
    network.blackholes.add("hole")
    network.raw("silent", lambda _: trio.sleep_forever())
    tables = [table(f"http://{host}/v1", "a", "b", name=host) for host in ("none", "hole", "silent")]
    calls = ProviderCalls(settings_of(*tables), network.way_out, 5.0, lambda: NOW)
    started = trio.current_time()
    refused, hole, silent = await calls.run()
    assert trio.current_time() - started == 5.0
    says(refused, "error", "not reached")
    says(hole, "error", "no connection within 5 s")
    says(silent, "error", "no answer within 5 s")
    assert calls.offsets == []


async def test_calls_at_once_are_bounded(nursery: trio.Nursery, autojump_clock: MockClock) -> None:
    """Sixteen: forty providers that hang take three deadlines."""
    network = Network(nursery)
    network.blackholes.add("hole")
    tables = [table("http://hole/v1", name=f"p{number}") for number in range(40)]
    calls = ProviderCalls(settings_of(*tables), network.way_out, 5.0, lambda: NOW)
    started = trio.current_time()
    assert len(await calls.run()) == 40
    assert trio.current_time() - started == 15.0


class Silent(BaseHTTPRequestHandler):
    """Answers every GET with an empty list."""

    def do_GET(self) -> None:
        self.send_response(200)
        body = json.dumps({"data": []}).encode()
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        pass


class Quiet(ThreadingHTTPServer):
    """Says nothing of handshakes that fail."""

    def handle_error(self, *_: Any) -> None:
        pass


async def really(base_url: str) -> Finding:
    """What is found over real sockets."""
    calls = ProviderCalls(settings_of(table(base_url, "k")), Transports(None), 10.0, lambda: NOW)
    [finding] = await calls.run()
    return finding


@pytest.mark.real
async def test_an_unknown_authority_is_named() -> None:
    """The remedy is the option for it; plain HTTP where TLS is expected is another mistake."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("localhost").configure_cert(context)
    server = Quiet(("127.0.0.1", 0), Silent)
    port = server.server_address[1]
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    with serving(server):
        finding = await really(f"https://localhost:{port}/v1")
    says(finding, "error", "certificate verify failed")
    assert "--upstream-ca" in finding.remedy
    with serving(Quiet(("127.0.0.1", 0), Silent)) as plain:
        says(await really(f"http://localhost:{plain.server_address[1]}/v1"), "ok", "is accepted")
        finding = await really(f"https://localhost:{plain.server_address[1]}/v1")
    says(finding, "error", "TLS: ")
    assert "is TLS served there?" in finding.remedy


@pytest.mark.real
async def test_names_that_are_unknown_and_ports_that_refuse(monkeypatch: pytest.MonkeyPatch) -> None:
    """Both say what was tried."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))  # bound, and not listening
        says(await really(f"http://127.0.0.1:{sock.getsockname()[1]}/v1"), "error", "connection refused")

    def unknown(*_: Any, **__: Any) -> Any:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    finding = await really("http://nowhere.invalid/v1")
    says(finding, "error", "DNS: name not found")
    assert "DNS" in finding.remedy
