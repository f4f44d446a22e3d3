"""Every reject: its reason, status and text, once. docs/reference.md has a table of them."""

from __future__ import annotations

from typing import Literal

from aibridge_trio.errors.base import Phase, Reject
from aibridge_trio.printable import visible


class AtCapacity(Reject):
    """As many requests are in flight as are allowed."""

    reason, status = "capacity", 503

    def __init__(self) -> None:
        super().__init__("AI Bridge is currently at capacity. Please try again later.", wait=1.0)


class CallerAtCapacity(Reject):
    """This caller has as many requests in flight as one caller may have."""

    reason, status = "caller_capacity", 429

    def __init__(self, limit: int) -> None:
        super().__init__(f"You have {limit} requests in flight, as many as one caller may. Please wait.", wait=1.0)


class ProviderAtCapacity(Reject):
    """As many requests to this provider are in flight as are allowed."""

    reason, status = "provider_capacity", 503

    def __init__(self, provider: str) -> None:
        said = f"AI Bridge is currently at its capacity for {provider}. Please try again later."
        super().__init__(said, wait=1.0)


class QueueFull(Reject):
    """As many requests wait as may; `wait` is how long those will take."""

    reason, status = "queue_full", 503

    def __init__(self, wait: float) -> None:
        super().__init__("AI Bridge is at capacity, and its queue is full. Please try again later.", wait=wait)


class QueueTimeout(Reject):
    """This request has waited for its turn as long as one may."""

    reason, status = "queue_timeout", 503

    def __init__(self, waited: float, wait: float) -> None:
        said = f"no turn came in {waited:.3g} s. Please try again later."
        super().__init__(f"AI Bridge is at capacity: {said}", wait=wait)


class QueueDeadline(Reject):
    """This request's turn would come later than it may wait, or than its caller will."""

    reason, status = "queue_deadline", 503

    def __init__(self, expected: float, patience: float, wait: float) -> None:
        said = f"AI Bridge is at capacity: a turn would come in about {expected:.3g} s, after the {patience:.3g} s"
        super().__init__(f"{said} that this request can wait. Please try again later.", wait=wait)


class RateLimited(Reject):
    """This caller's budget is spent; `wait` seconds until the turn of this request.

    `spread` seconds are added to it, in place of the jitter: turns that are told lie apart already, and a share
    of a long wait would bring them together again. None leaves the jitter.
    """

    reason, status = "rate_limit", 429

    def __init__(self, wait: float, spread: float | None = None) -> None:
        super().__init__("You've been rate limited. Please try again later.", wait=wait)
        self.spread = spread

    def _told(self, wait: float, jitter: float) -> float:
        return super()._told(wait, jitter) if self.spread is None else wait + self.spread


class CircuitOpen(Reject):
    """The provider's breaker refuses; `because` is how the outage looked from here."""

    reason, status = "circuit_open", 503

    def __init__(
        self, provider: str, because: Literal["overload", "failures", "operator", "ramp"], wait: float | None
    ) -> None:
        state = {
            "overload": "is currently unavailable due to upstream rate limiting",
            "failures": "is currently unavailable due to upstream failures",
            "operator": "was taken out of service by its operator",
            "ramp": "is coming back from an outage and takes only some of the requests",
        }[because]
        super().__init__(f"{provider} {state}. Please try again later.", wait=wait)
        self.because = because

    @property
    def final(self) -> bool:
        """Until its operator says otherwise, an outage that has no end to tell."""
        return self.wait is None


class CredentialCooldown(Reject):
    """The provider has told this caller's own key to wait."""

    reason, status = "credential_cooldown", 429

    def __init__(self, provider: str, wait: float) -> None:
        super().__init__(f"{provider} has told your key to wait. Please try again later.", wait=wait)


class BufferFull(Reject):
    """Bodies that are read ahead hold as much memory as they may."""

    reason, status = "buffer_full", 503

    def __init__(self) -> None:
        super().__init__("AI Bridge has no memory left for request bodies. Please try again later.", wait=1.0)


class BodyTooLarge(Reject):
    """The request's body is longer than `limit` bytes."""

    reason, status = "body_too_large", 413

    def __init__(self, limit: int) -> None:
        super().__init__(f"request body larger than the limit of {limit} bytes")


class ForbiddenOrigin(Reject):
    """A web page asks that is none of the bridge's own, or under a name that is none of its listener's."""

    reason, status = "forbidden_origin", 403


class StoredReference(Reject):
    """The body names stored data of the central key's account, or could: `what` is the member's name, or why."""

    reason, status = "stored_reference", 403

    def __init__(self, what: str) -> None:
        super().__init__(f"stored data may not be named with the central key: {what} (--no-stored-references)")


class NotFound(Reject):
    """No route of the allow-list."""

    reason, status = "not_found", 404

    def __init__(self, method: str, path: str, hint: str | None = None) -> None:
        said = f"route not supported: {method} {visible(path, _PATH_SHOWN)}"
        super().__init__(f"{said}; {hint}" if hint else said)


_PATH_SHOWN = 200


class LoopDetected(Reject):
    """The request has been here before: a base URL leads back to this bridge."""

    reason, status = "loop_detected", 508

    def __init__(self) -> None:
        super().__init__("this request has been here before: a base URL leads back to AI Bridge")

    @property
    def final(self) -> bool:
        """It will come back again."""
        return True


class MethodNotAllowed(Reject):
    """CONNECT and TRACE have no business here."""

    reason, status = "method_not_allowed", 405

    def __init__(self, method: str) -> None:
        super().__init__(f"method not allowed: {method}")

    def headers(self, jitter: float) -> list[tuple[bytes, bytes]]:
        """Add what RFC 9110 asks of a 405: the methods that some route here allows."""
        return [*super().headers(jitter), (b"allow", b"GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS")]


class UpgradeRefused(Reject):
    """A WebSocket is asked for; the bridge speaks HTTP/1.1 only.

    Of all statuses only 426 makes Codex fall back to plain HTTP at once and silently.
    """

    reason, status = "upgrade_refused", 426

    def __init__(self) -> None:
        super().__init__("WebSockets are not supported; use plain HTTP requests")

    def headers(self, jitter: float) -> list[tuple[bytes, bytes]]:
        """Add what RFC 9110 (15.5.22) asks of a 426: the protocol that is spoken here."""
        return [*super().headers(jitter), (b"upgrade", b"HTTP/1.1"), (b"connection", b"upgrade")]


class BadRequest(Reject):
    """Malformed in a way that could mislead the bridge or the provider."""

    reason, status = "bad_request", 400


class UpstreamUnreachable(Reject):
    """No answer: the connection failed or broke in this phase."""

    reason, status = "upstream_unreachable", 502

    def __init__(self, provider: str, phase: Phase) -> None:
        said = {"connect": "could not be reached", "head": "failed before its answer began"}
        super().__init__(f"{provider} {said.get(phase, 'broke off')} (phase: {phase})")


class UpstreamTimeout(Reject):
    """No answer in time, in this phase."""

    reason, status = "upstream_timeout", 504

    def __init__(self, provider: str, phase: Phase, bound: float | None = None) -> None:
        said = {"connect": "did not accept a connection in time", "head": "did not begin to answer in time"}
        limit = "" if bound is None else f"; this request may take {bound:g} s (--max-duration)"
        super().__init__(f"{provider} {said.get(phase, 'fell silent')} (phase: {phase}){limit}")


class ShuttingDown(Reject):
    """The bridge drains; another replica, or this one after its restart, will serve."""

    reason, status = "shutting_down", 503
    closes = True

    def __init__(self) -> None:
        super().__init__("AI Bridge is shutting down. Please try again.", wait=1.0)


class InternalError(Reject):
    """A bug of the bridge, contained to this one request."""

    reason, status = "internal_error", 500

    def __init__(self) -> None:
        super().__init__("AI Bridge failed to handle this request; its log has the details.")


REASONS: tuple[str, ...] = tuple(kind.reason for kind in Reject.__subclasses__())
