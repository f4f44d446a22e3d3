"""A web page in a real browser asks a bridge on this machine: what it may not, and what it was allowed."""

from __future__ import annotations

import os
import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.support.processes import CHAT, Bridge, Provider, a_bridge

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(CHROMIUM is None and not os.environ.get("CI"), reason="Chromium is not installed"),
]
# Loads the page, lets it work, and prints what became of it.
_FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-features=LocalNetworkAccessChecks,BlockInsecurePrivateNetworkRequests,PrivateNetworkAccessSendPreflights",
    "--host-resolver-rules=MAP evil.example 127.0.0.1",
    "--virtual-time-budget=20000",
    "--dump-dom",
)
_PAGE = """<!doctype html><title>page</title><p id=out>nothing</p><script>
(async () => {{
  const out = [];
  const said = answer => answer.type === "opaque" ? "opaque" : answer.status;
  try {{ out.push("plain " + said(await fetch("{url}", {{method: "POST", mode: "no-cors", body: '{body}',
    headers: {{"content-type": "text/plain"}}}}))); }} catch {{ out.push("plain failed"); }}
  try {{ const answer = await fetch("{url}", {{method: "POST", body: '{body}',
    headers: {{"content-type": "application/json", "authorization": "Bearer sk-page"}}}});
    await answer.text(); out.push("json " + answer.status + " " + answer.headers.get("x-request-id")?.slice(0, 4));
  }} catch {{ out.push("json failed"); }}
  document.getElementById("out").textContent = out.join("; ");
}})();
</script>"""
_BODY = '{"model":"m","messages":[{"role":"user","content":"hi"}]}'


class _Pages(BaseHTTPRequestHandler):
    """Shows one page under every path."""

    def __init__(self, page: str, *arguments: object) -> None:
        self._page = page
        super().__init__(*arguments)  # type: ignore[arg-type]

    def do_GET(self) -> None:
        body = self._page.encode()
        self.send_response(200)
        self.send_header("content-type", "text/html")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def site(port: int, page: str) -> Iterator[int]:
    """Show a page on loopback; yields the port."""
    with ThreadingHTTPServer(("127.0.0.1", port), partial(_Pages, page)) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()


def browse(url: str, folder: Path) -> str:
    """Return what a page says in the end."""
    assert CHROMIUM, "Chromium is not installed"
    command = [CHROMIUM, *_FLAGS, f"--user-data-dir={folder}", url]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    _, _, rest = done.stdout.partition('<p id="out">')
    return rest.partition("</p>")[0]


def page_for(url: str) -> str:
    return _PAGE.format(url=url, body=_BODY)


@pytest.fixture
def guarded(provider: Provider) -> Iterator[Bridge]:
    """A bridge with a central key at its usual address."""
    with a_bridge(provider=provider, OPENAI_API_KEY="sk-central-0123456789") as bridge:
        yield bridge


def test_a_page_can_t_spend_the_key(guarded: Bridge, provider: Provider, tmp_path: Path) -> None:
    """Neither with a plain POST nor with headers of its own: the provider is never asked."""
    with site(0, page_for(guarded.url + CHAT)) as port:
        heard = browse(f"http://127.0.0.1:{port}/", tmp_path)
    assert heard == "plain opaque; json failed"
    assert provider.stats()["requests"] == 0
    assert guarded.rejects("forbidden_origin") >= 2


def test_a_rebound_name_is_no_name_of_the_bridge(guarded: Bridge, provider: Provider, tmp_path: Path) -> None:
    """To the browser it is the page's own origin; to the bridge a foreign Host."""
    heard = browse(f"http://evil.example:{guarded.port}/", tmp_path)
    assert provider.stats()["requests"] == 0
    assert heard == ""
    with site(0, page_for(f"http://evil.example:{guarded.port}{CHAT}")) as port:
        heard = browse(f"http://evil.example:{port}/", tmp_path)
    assert heard == "plain opaque; json failed"
    assert provider.stats()["requests"] == 0
    assert guarded.rejects("forbidden_origin") >= 3


def test_an_allowed_page_works(provider: Provider, tmp_path: Path) -> None:
    """Its preflight is answered, its request served, and our headers can be read."""
    with site(0, "") as port:
        pass
    allowed = ("--allowed-origins", f"http://127.0.0.1:{port}")
    with (
        a_bridge(*allowed, provider=provider, OPENAI_API_KEY="sk-central-0123456789") as bridge,
        site(port, page_for(bridge.url + CHAT)),
    ):
        heard = browse(f"http://127.0.0.1:{port}/", tmp_path)
    assert heard == "plain opaque; json 200 req_"
    assert provider.stats()["requests"] == 2
