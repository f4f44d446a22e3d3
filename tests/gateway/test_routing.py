"""Where one request goes, and with what."""

from __future__ import annotations

from typing import Any

import pytest

from aibridge_trio.config.provider_tables import RouteTable
from aibridge_trio.core.caller import Caller
from aibridge_trio.errors import BadRequest, ModelNotRouted
from aibridge_trio.gateway.router import Router
from aibridge_trio.gateway.routing import ModelPath, Target
from tests.support.allow_lists import ANONYMOUS, KNOWN, request, router_of

ROUTES = [RouteTable(model="m", providers=("openai", "copilot")), RouteTable(model="c", providers=("anthropic",))]


def path(target: str = "/v1/chat/completions", key: str | None = None, **options: Any) -> ModelPath:
    """Return what a request beneath /v1 asks for."""
    router = Router(list(router_of(key, **options)), ROUTES)
    found = router.match(request("POST", target.encode()), KNOWN)
    assert isinstance(found, ModelPath)
    return found


def names(targets: list[Target]) -> list[str]:
    return [target.name for target in targets]


@pytest.mark.parametrize(
    ("key", "forward", "caller", "found"),
    [
        (None, False, KNOWN, ["openai"]),
        (None, False, ANONYMOUS, ["openai", "copilot"]),
        ("k", False, KNOWN, ["openai", "copilot"]),
        ("k", False, ANONYMOUS, ["openai", "copilot"]),
        ("k", True, KNOWN, ["openai"]),
        ("k", True, ANONYMOUS, ["openai", "copilot"]),
    ],
)
def test_a_callers_own_key_goes_to_one_provider(
    key: str | None, forward: bool, caller: Caller, found: list[str]
) -> None:
    """To the first of the route that takes own keys; Copilot has no central key."""
    assert names(path(key=key, forward=forward).targets("m", caller)) == found


def test_what_has_no_model_or_no_route() -> None:
    """Is rejected, each in its words."""
    with pytest.raises(BadRequest, match="names no model"):
        path().targets(None, KNOWN)
    with pytest.raises(ModelNotRouted, match="no route for the model x;"):
        path().targets("x", KNOWN)
    with pytest.raises(ModelNotRouted, match="another dialect"):
        path().targets("c", KNOWN)
    assert names(path("/v1/messages").targets("c", KNOWN)) == ["anthropic"]


def test_each_target_has_its_own_path() -> None:
    """Copilot serves both dialects."""
    openai, copilot = path().targets("m", ANONYMOUS)
    assert (openai.path, copilot.path) == (b"/chat/completions", b"/chat/completions")
    [copilot] = path("/v1/messages").targets("m", ANONYMOUS)
    assert (copilot.name, copilot.path) == ("copilot", b"/v1/messages")
