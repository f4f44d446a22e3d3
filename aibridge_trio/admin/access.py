"""Which requests the admin listener answers: those of operators with its token, and not those of web pages."""

from __future__ import annotations

import hashlib
import hmac

from aibridge_trio.config.settings import Secret
from aibridge_trio.errors import ForbiddenOrigin
from aibridge_trio.events import AdminRefused, Publish
from aibridge_trio.gateway.browser_origins import Origins
from aibridge_trio.http.message import Request

_WITHOUT_TOKEN = ("/healthz", "/readyz")
# https, because a proxy in front of the listener may terminate TLS.
_SCHEMES = (b"http", b"https")


class Refusal(Exception):
    """An error response: status, message and headers."""

    def __init__(self, status: int, message: str, *headers: tuple[bytes, bytes]) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.headers = headers


class Access:
    """Checks requests. `host` is the listener's host; `token` is required for all but health."""

    def __init__(self, *, origins: Origins, host: str, token: Secret | None, publish: Publish) -> None:
        self.token = token
        self._origins = origins
        self._host = host.lower()
        self._publish = publish

    def check(self, request: Request) -> None:
        """Raise for a foreign Host (DNS rebinding), a foreign web page, and a missing or wrong token."""
        own = {"localhost", self._host, (request.server or "").lower()} - {""}
        if _host_name(request.header(b"host") or b"") not in own and not self._origins.allows_host(request):
            self._publish(AdminRefused("host", request.client))
            raise Refusal(
                403, "Host is neither this listener's address nor its name; permit it with --allowed-hosts"
            )
        try:
            self._origins.check_page(request, schemes=_SCHEMES)
        except ForbiddenOrigin as forbidden:
            self._publish(AdminRefused("origin", request.client))
            raise Refusal(forbidden.status, forbidden.message) from None
        if self.token is None or request.path.decode("latin-1") in _WITHOUT_TOKEN:
            return
        scheme, _, token = (request.header(b"authorization") or b"").strip().partition(b" ")
        # Constant time: neither the token's length nor the matching part shows.
        same = hmac.compare_digest(_digest(token.strip()), _digest(self.token.reveal().encode()))
        if scheme.lower() != b"bearer" or not same:
            self._publish(AdminRefused("token", request.client))
            raise Refusal(
                401,
                "this listener requires its token: Authorization: Bearer TOKEN",
                (b"www-authenticate", b"Bearer"),
            )


def _digest(token: bytes) -> bytes:
    return hashlib.sha256(token).digest()


def _host_name(host: bytes) -> str:
    """Return the host name in a Host header: lower-case, without port, brackets and trailing dot."""
    text = host.decode("latin-1").strip().lower()
    if text.startswith("[") and "]" in text:
        return text[1:].partition("]")[0]
    return text.partition(":")[0].removesuffix(".")
