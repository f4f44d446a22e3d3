"""Clients that offer another protocol with each request and go on in HTTP/1.1 (RFC 9110, 7.8): curl, the JDK."""

from __future__ import annotations

import json
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.processes import ASK, CHAT, PATIENCE, TEXT, Bridge, Provider, a_bridge
from tests.support.shells import needed

pytestmark = pytest.mark.real

OFFER = (
    "connection: Upgrade, HTTP2-Settings\r\nupgrade: h2c\r\n"
    "http2-settings: AAEAAEAAAAIAAAABAAMAAABkAAQBAAAAAAUAAEAA\r\n"
)
BODY = json.dumps({"model": "m", "messages": ASK})
STREAMED = json.dumps({"model": "m", "messages": ASK, "stream": True})

# Three requests over one client, as the JDK sends them: with an offer of h2c each time that it opens a connection.
JAVA = """
import java.net.URI;
import java.net.http.*;

public class Ask {
    public static void main(String[] args) throws Exception {
        var client = HttpClient.newHttpClient();
        for (int i = 0; i < 3; i++) {
            var request = HttpRequest.newBuilder(URI.create(args[0]))
                .header("authorization", "Bearer sk-java").header("content-type", "application/json")
                .POST(HttpRequest.BodyPublishers.ofString(args[1])).build();
            var answer = client.send(request, HttpResponse.BodyHandlers.ofString());
            System.out.println(answer.version() + " " + answer.statusCode());
        }
    }
}
"""


@pytest.fixture
def bridge(provider: Provider) -> Iterator[Bridge]:
    """A bridge in front of the mock."""
    with a_bridge(provider=provider) as it:
        yield it


def exchange(port: int, data: str) -> str:
    """Say this, and return all that is answered until the end."""
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as sock:
        sock.sendall(data.encode())
        return b"".join(iter(lambda: sock.recv(65536), b"")).decode()


def post(framing: str, body: str, *more: str) -> str:
    """A request that offers h2c."""
    return f"POST {CHAT} HTTP/1.1\r\nhost: localhost\r\n{OFFER}{framing}\r\n{''.join(more)}\r\n{body}"


def test_an_offer_is_ignored_and_the_body_kept(bridge: Bridge, provider: Provider) -> None:
    """Sized or chunked, one behind the other on one connection; nothing of the offer goes up."""
    chunked = f"{len(BODY):x}\r\n{BODY}\r\n0\r\n\r\n"
    said = exchange(
        bridge.port,
        post(f"content-length: {len(BODY)}", BODY)
        + post("transfer-encoding: chunked", chunked)
        + f"GET / HTTP/1.1\r\nhost: localhost\r\n{OFFER}connection: close\r\n\r\n",
    )
    assert said.count("HTTP/1.1 200 OK") == 3
    assert said.count(TEXT) == 2
    stats = provider.stats()
    assert stats["requests"] == 2
    for seen in stats["last"]:
        assert not {"upgrade", "http2-settings", "connection"} & {name.lower() for name, _ in seen["headers"]}


def test_the_mock_ignores_it_too(provider: Provider) -> None:
    """A client's first try is often without a bridge."""
    said = exchange(
        int(provider.url.rpartition(":")[2]),
        post(f"content-length: {len(BODY)}", BODY).replace(CHAT, "/v1/chat/completions")
        + "GET /mock/stats HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n",
    )
    assert said.count("HTTP/1.1 200 OK") == 2
    assert TEXT in said


def test_curl_with_http2(bridge: Bridge, tmp_path: Path) -> None:
    """`curl --http2` offers h2c; a body of 1 MB that waits for a 100 arrives as well."""
    large = tmp_path / "body"
    large.write_text(json.dumps({"model": "m", "messages": [{"role": "user", "content": "x" * 1_000_000}]}))
    for flags in (("-d", BODY), ("--data-binary", f"@{large}", "-H", "expect: 100-continue")):
        shown = ("-w", " %{http_version} %{http_code}", "-H", "content-type: application/json")
        done = subprocess.run(
            [needed("curl"), "-sS", "--http2", "--noproxy", "*", *shown, *flags, bridge.url + CHAT],
            capture_output=True,
            text=True,
            timeout=6 * PATIENCE,
            check=True,
        )
        assert TEXT in done.stdout
        assert done.stdout.endswith(" 1.1 200")


def test_the_jdk(bridge: Bridge, provider: Provider, tmp_path: Path) -> None:
    """The JDK's HttpClient, and what is built on it (Spring, JetBrains), is served, streams too."""
    source = tmp_path / "Ask.java"
    source.write_text(JAVA)
    for body in (BODY, STREAMED):
        done = subprocess.run(
            [needed("java"), "-XX:TieredStopAtLevel=1", str(source), bridge.url + CHAT, body],
            capture_output=True,
            text=True,
            timeout=12 * PATIENCE,
            check=True,
        )
        lines = done.stdout.splitlines()
        assert [line.split()[:2] for line in lines] == [["HTTP_1_1", "200"]] * 3
    assert provider.stats()["requests"] == 6
    assert provider.credentials() == {"authorization": "Bearer sk-java"}
