from __future__ import annotations

from aibridge_trio.providers import Provider, Route, dialects

ROUTES = (Route("/a", frozenset({"GET"})), Route("/a", own_key=True), Route("/b/*"))
PROVIDER = Provider(
    name="some",
    api="openai",
    prefix="/some/v1",
    routes=ROUTES,
    dialect=dialects.openai,
    credential=None,
    path_dialects={"/messages": dialects.anthropic},
)


def test_the_first_row_that_allows_a_request_is_its_route() -> None:
    """Rows are tried in order, by method and path."""
    assert PROVIDER.route("GET", "/a") is ROUTES[0]
    assert PROVIDER.route("POST", "/a") is ROUTES[1]
    assert PROVIDER.route("POST", "/b/c") is ROUTES[2]
    assert PROVIDER.route("POST", "/b") is None


def test_some_paths_have_another_dialect() -> None:
    """The dialect is the provider's, except below the paths that have their own."""
    assert PROVIDER.dialect_at(b"/some/v1/messages") is dialects.anthropic
    assert PROVIDER.dialect_at(b"/some/v1/messages/count") is dialects.anthropic
    assert PROVIDER.dialect_at(b"/some/v1/a") is dialects.openai
    assert PROVIDER.dialect_at(b"/some") is dialects.openai
