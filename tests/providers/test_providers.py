from __future__ import annotations

import re

from hypothesis import example, given
from hypothesis import strategies as st

from aibridge_trio.errors import NotFound
from aibridge_trio.gateway.routing import Target
from aibridge_trio.providers import ALL
from aibridge_trio.providers.quota_headers import QUOTAS
from tests.support.allow_lists import METHODS, match

ANY = "|".join(METHODS)

# The contract's table once more, as patterns of "METHOD path": (pattern, backend, intercepted, own key only).
TABLE = [
    (r"POST /openai/v1/(chat/completions|responses|completions|responses/compact)", "openai", True, False),
    (r"(GET|HEAD) /openai/v1/models(/.+)?", "openai", False, False),
    (r"POST /openai/v1/(embeddings|moderations|responses/input_tokens)", "openai", False, False),
    (r"POST /openai/v1/deployments/[^/]+/(chat/)?completions", "openai", True, False),
    (r"POST /openai/v1/deployments/[^/]+/embeddings", "openai", False, False),
    (r"POST /openai/v1/images/(generations|edits|variations)", "openai", False, False),
    (r"POST /openai/v1/audio/(speech|transcriptions|translations)", "openai", False, False),
    (rf"({ANY}) /openai/v1/(conversations|files|batches|uploads|vector_stores)(/.+)?", "openai", False, True),
    (r"(GET|HEAD) /openai/v1/chat/completions", "openai", False, True),
    (rf"({ANY}) /openai/v1/(chat/completions|responses|images|audio)/.+", "openai", False, True),
    (r"POST /anthropic/v1/messages", "anthropic", True, False),
    (r"POST /anthropic/v1/messages/count_tokens", "anthropic", False, False),
    (r"POST /anthropic/api/event_logging/.+", "anthropic", False, False),
    (r"(GET|HEAD) /anthropic/v1/models(/.+)?", "anthropic", False, False),
    (rf"({ANY}) /anthropic/v1/(messages/batches|files|skills)(/.+)?", "anthropic", False, True),
    (r"POST /copilot/(chat/completions|responses|v1/messages)", "copilot", True, False),
    (r"POST /copilot/embeddings", "copilot", False, False),
    (rf"({ANY}) /copilot/models(/.+)?", "copilot", False, False),
    (rf"({ANY}) /copilot/(agents|mcp|\.well-known)/.+", "copilot", False, False),
]
PROBES = r"(GET|HEAD) (/|/openai/v1/?|/anthropic/?|/anthropic/api/hello|/copilot/?)"


segments = st.sampled_from(
    [
        "openai",
        "v1",
        "anthropic",
        "copilot",
        "chat",
        "completions",
        "deployments",
        "responses",
        "models",
        "messages",
        "count_tokens",
        "embeddings",
        "conversations",
        "api",
        "event_logging",
        "agents",
        "mcp",
        ".well-known",
        "files",
        "organization",
        "x",
        "ft:x",
    ]
)
paths = st.builds(
    lambda parts, end: "/" + "/".join(parts) + end, st.lists(segments, max_size=5), st.sampled_from(["", "/"])
)


@given(st.sampled_from(METHODS), paths.filter(lambda path: "//" not in path))
@example("GET", "/openai/v1/")
@example("POST", "/openai/v1/responses/x")
@example("POST", "/openai/v1/deployments/x/chat/completions")
@example("POST", "/openai/v1/deployments/x/x/chat/completions")
@example("POST", "/openai/v1/deployments/chat/completions")
def test_the_allow_list_is_the_contract_s_table(method: str, path: str) -> None:
    """For any method and path, the result is the row of the contract's table, and nothing else is found."""
    line = f"{method} {path}"
    expected = [row for row in TABLE if re.fullmatch(row[0], line)][:1]
    try:
        target = match(method, path)
    except NotFound:
        assert not expected
        assert not re.fullmatch(PROBES, line)
        return
    if not isinstance(target, Target):
        assert re.fullmatch(PROBES, line)
        return
    found = (target.backend.name, target.route.intercepted, target.route.own_key)
    assert [found] == [row[1:] for row in expected]


def test_every_intercepted_route_is_a_post() -> None:
    """Only POSTs are intercepted, and no intercepted route shows stored data."""
    for provider in ALL:
        for route in provider.routes:
            if route.intercepted:
                assert route.methods == frozenset({"POST"})
                assert not route.own_key


def test_names_and_prefixes_are_distinct() -> None:
    """Names and prefixes are distinct, and a prefix begins with its provider's name."""
    assert len({provider.name for provider in ALL}) == len({provider.prefix for provider in ALL}) == len(ALL)
    for provider in ALL:
        assert provider.prefix.split("/")[1] == provider.name


def test_every_provider_has_its_quota_headers() -> None:
    """The table of quota headers covers the APIs of the providers, and only them."""
    assert list(QUOTAS) == [provider.api for provider in ALL]
