from __future__ import annotations

from typing import Any, cast

from aibridge_trio.core.caller import Caller
from aibridge_trio.gateway.caller_request import CallerRequest
from tests.support.allow_lists import request


def test_a_caller_request_shows_nothing_of_its_headers() -> None:
    """It stands in the frames of tracebacks, and its request has the caller's credential."""
    absent = cast("Any", None)
    sent = request("POST", b"/openai/v1/responses", (b"authorization", b"Bearer sk-canary"))
    asked = CallerRequest(sent, absent, absent, absent, Caller(b"key", "dev-07", authenticated=True), absent)
    assert "canary" not in repr(asked)
