"""All rejects: reason, status and text of each. docs/reference.md lists them in a table."""

from __future__ import annotations

from typing import Literal

from aibridge_trio.errors.base import Phase, Reject
from aibridge_trio.printable import visible

# Why a breaker refuses: how the outage looked from here, or its operator, or the way back from an outage.
OpenCause = Literal["overload", "failures", "operator", "ramp"]


_STATES: dict[OpenCause, str] = {
    "overload": "is currently unavailable due to upstream rate limiting",
    "failures": "is currently unavailable due to upstream failures",
    "operator": "was taken out of service by its operator",
    "ramp": "is coming back from an outage and takes only some of the requests",
}


class AtCapacity(Reject):
    """--max-concurrency is reached: no slot is free."""

    reason, status = "capacity", 503

    def __init__(self) -> None:
        super().__init__("AI Bridge is currently at capacity. Please try again later.", wait=1.0)


class CallerAtCapacity(Reject):
    """As many requests of this caller are in flight as may be, `limit`; or of all callers of its class."""

    reason, status = "caller_capacity", 429

    def __init__(self, limit: int, class_name: str = "") -> None:
        text = f"You have {limit} requests in flight, as many as one caller may. Please wait."
        if class_name:
            whose = f"All callers of class {class_name} together"
            text = f"{whose} have {limit} requests in flight, as many as they may. Please wait."
        super().__init__(text, wait=1.0)


class ProviderAtCapacity(Reject):
    """--max-concurrency-per-provider is reached for this provider."""

    reason, status = "provider_capacity", 503

    def __init__(self, provider: str) -> None:
        text = f"AI Bridge is currently at its capacity for {provider}. Please try again later."
        super().__init__(text, wait=1.0)


class StoreUnavailable(Reject):
    """The store that counts the shared limits is away, and --store-failure closed says that nothing goes then."""

    reason, status = "store_unavailable", 503

    def __init__(self) -> None:
        super().__init__("AI Bridge cannot count its limits at the moment. Please try again later.", wait=1.0)


class QueueFull(Reject):
    """The queue is full; `wait` estimates the seconds until it has emptied."""

    reason, status = "queue_full", 503

    def __init__(self, wait: float) -> None:
        super().__init__("AI Bridge is at capacity, and its queue is full. Please try again later.", wait=wait)


class QueueTimeout(Reject):
    """The request has waited --queue-timeout; `waited` is that time in seconds."""

    reason, status = "queue_timeout", 503

    def __init__(self, waited: float, wait: float) -> None:
        text = f"no turn came in {waited:.3g} s. Please try again later."
        super().__init__(f"AI Bridge is at capacity: {text}", wait=wait)


class QueueDeadline(Reject):
    """The request's estimated turn comes after its deadline, so it is rejected without waiting.

    `expected` is the estimated wait and `longest` the time that the request can wait, in seconds: --queue-timeout,
    or less if its client states a shorter timeout.
    """

    reason, status = "queue_deadline", 503

    def __init__(self, expected: float, longest: float, wait: float) -> None:
        text = f"AI Bridge is at capacity: a turn would come in about {expected:.3g} s, after the {longest:.3g} s"
        super().__init__(f"{text} that this request can wait. Please try again later.", wait=wait)


class RateLimited(Reject):
    """The caller has used up its rate; `wait` is the number of seconds until this request would be admitted.

    `spread` seconds replace the jitter: the waits of a caller's rejected requests differ already, and jitter in
    proportion to a long wait would bring some of them together again. None keeps the jitter. With a `provider` it
    is the limit of that one, which all callers share; with a `class_name` that of all callers of the class.
    """

    reason, status = "rate_limit", 429

    def __init__(self, wait: float, spread: float | None = None, provider: str = "", class_name: str = "") -> None:
        whose = f"AI Bridge's requests to {provider} have" if provider else "You've"
        whose = f"All callers of class {class_name} together have" if class_name else whose
        super().__init__(f"{whose} been rate limited. Please try again later.", wait=wait)
        self.spread = spread


class CircuitOpen(Reject):
    """The provider's circuit breaker rejects the request; `because` is the cause of the outage, or the ramp."""

    reason, status = "circuit_open", 503

    def __init__(self, provider: str, because: OpenCause, wait: float | None) -> None:
        super().__init__(f"{provider} {_STATES[because]}. Please try again later.", wait=wait)
        self.because = because

    @property
    def final(self) -> bool:
        """True without a wait: an operator opened the breaker, and only an operator can close it."""
        return self.wait is None


class HoldTimeout(Reject):
    """The request was held for as long as it may be, and the provider did not take it; `held` in seconds."""

    reason, status = "hold_timeout", 503
    spread = 0.0  # their waits differ already

    def __init__(self, provider: str, held: float, wait: float) -> None:
        text = f"{provider} did not take this request in {held:.3g} s. Please try again later."
        super().__init__(text, wait=wait)


class LineFull(Reject):
    """The request would have to be held, and as many are held for this provider as may be."""

    reason, status = "line_full", 503
    spread = 0.0  # their waits differ already

    def __init__(self, provider: str, wait: float) -> None:
        text = f"{provider} takes fewer requests than there are, and the line is full. Please try again later."
        super().__init__(text, wait=wait)


class CannotHold(Reject):
    """The request would have to be held, and its body is too long to be kept."""

    reason, status = "cannot_hold", 503
    spread = 0.0  # their waits differ already

    def __init__(self, provider: str, wait: float) -> None:
        text = (
            f"{provider} takes no more requests now, and this one is too long to be held. Please try again later."
        )
        super().__init__(text, wait=wait)


class BufferFull(Reject):
    """--max-buffered is reached: no memory is left to read request bodies ahead."""

    reason, status = "buffer_full", 503

    def __init__(self) -> None:
        super().__init__("AI Bridge has no memory left for request bodies. Please try again later.", wait=1.0)


class BodyTooLarge(Reject):
    """The request body is longer than `limit` bytes (--max-body)."""

    reason, status = "body_too_large", 413

    def __init__(self, limit: int) -> None:
        super().__init__(f"request body larger than the limit of {limit} bytes")


class ForbiddenOrigin(Reject):
    """A foreign web page sent the request, or its Host is not a name of the listener (DNS rebinding)."""

    reason, status = "forbidden_origin", 403


class StoredReference(Reject):
    """The body refers to stored data of the central key's account, or may; `what` is the member, or the cause."""

    reason, status = "stored_reference", 403

    def __init__(self, what: str) -> None:
        super().__init__(f"stored data may not be named with the central key: {what} (--no-stored-references)")


class NotFound(Reject):
    """No route of the allow-list matches method and path; `hint` names the likely mistake."""

    reason, status = "not_found", 404

    def __init__(self, method: str, path: str, hint: str | None = None) -> None:
        text = f"route not supported: {method} {visible(path, _PATH_SHOWN)}"
        super().__init__(f"{text}; {hint}" if hint else text)


_PATH_SHOWN = 200


class LoopDetected(Reject):
    """The request has passed through this bridge before: a base URL leads back to it."""

    reason, status = "loop_detected", 508

    def __init__(self) -> None:
        super().__init__("this request has been here before: a base URL leads back to AI Bridge")

    @property
    def final(self) -> bool:
        """True: a retry takes the same loop."""
        return True


class MethodNotAllowed(Reject):
    """The method is CONNECT or TRACE, which no route supports."""

    reason, status = "method_not_allowed", 405

    def __init__(self, method: str) -> None:
        super().__init__(f"method not allowed: {method}")

    def lines(self, jitter: float) -> bytes:
        """Add `Allow`, which RFC 9110 (15.5.6) requires of a 405, with the methods that routes support."""
        return super().lines(jitter) + b"allow: GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS\r\n"


class UpgradeRefused(Reject):
    """The request asks for a WebSocket; the bridge supports HTTP/1.1 only.

    Only 426 makes Codex fall back to plain HTTP at once and without an error message.
    """

    reason, status = "upgrade_refused", 426

    def __init__(self) -> None:
        super().__init__("WebSockets are not supported; use plain HTTP requests")

    def lines(self, jitter: float) -> bytes:
        """Add `Upgrade`, which RFC 9110 (15.5.22) requires of a 426, with the protocol that is supported."""
        return super().lines(jitter) + b"upgrade: HTTP/1.1\r\nconnection: upgrade\r\n"


class BadRequest(Reject):
    """The request is malformed in a way that the bridge and a provider could read differently."""

    reason, status = "bad_request", 400


class UpstreamUnreachable(Reject):
    """The provider gave no response: the connection failed or broke in `phase`."""

    reason, status = "upstream_unreachable", 502

    def __init__(self, provider: str, phase: Phase) -> None:
        description = {"connect": "could not be reached", "head": "failed before its answer began"}
        super().__init__(f"{provider} {description.get(phase, 'broke off')} (phase: {phase})")


class UpstreamTimeout(Reject):
    """The provider gave no response in time; `phase` says where, `bound` is the --max-duration that ended it."""

    reason, status = "upstream_timeout", 504

    def __init__(self, provider: str, phase: Phase, bound: float | None = None) -> None:
        description = {"connect": "did not accept a connection in time", "head": "did not begin to answer in time"}
        limit = "" if bound is None else f"; this request may take {bound:g} s (--max-duration)"
        super().__init__(f"{provider} {description.get(phase, 'fell silent')} (phase: {phase}){limit}")


class ShuttingDown(Reject):
    """The bridge is stopping; another replica, or this one after its restart, serves the retry."""

    reason, status = "shutting_down", 503
    closes = True

    def __init__(self) -> None:
        super().__init__("AI Bridge is shutting down. Please try again.", wait=1.0)


class InternalError(Reject):
    """A bug of the bridge failed this request; others are not affected."""

    reason, status = "internal_error", 500

    def __init__(self) -> None:
        super().__init__("AI Bridge failed to handle this request; its log has the details.")
