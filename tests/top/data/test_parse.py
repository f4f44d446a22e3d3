"""Status documents are read completely, or refused; whatever answers, the result is bounded."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from functools import partial
from typing import Any

import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st
from trio.testing import MockClock

from aibridge_trio.core.adaptive.governor import GovernorStats
from aibridge_trio.core.adaptive.limiter import AdaptiveStats
from aibridge_trio.core.adaptive.words import limits, line
from aibridge_trio.errors import REASONS
from aibridge_trio.http.message import Reply, Request
from aibridge_trio.top.data.document import (
    Breaker,
    Caller,
    Connections,
    Document,
    Event,
    Override,
    PoolKey,
    Provider,
    Queue,
    Resting,
    Scope,
)
from aibridge_trio.top.data.parse import Unreadable, read
from tests.support.handlers import MESSAGES, failing
from tests.support.network import Network
from tests.support.pictures import (
    a_document,
    a_queue,
    breaking,
    older,
)
from tests.support.pictures import a_scope as said_of_a_scope
from tests.support.status_documents import DOCUMENTS, JSON, NUMBERS, TEXTS, VALIDATOR


def texts(value: Any) -> Iterator[str]:
    """Every text in a record."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        yield from texts([*value, *value.values()])
    elif isinstance(value, list | tuple):
        for each in value:
            yield from texts(each)
    elif is_dataclass(value):
        for each in fields(value):
            yield from texts(getattr(value, each.name))


def numbers(value: Any) -> Iterator[float]:
    """Every number in a record; the bounds of histograms are among them."""
    if isinstance(value, int | float):
        yield value
    elif isinstance(value, dict):
        yield from numbers([*value, *value.values()])
    elif isinstance(value, list | tuple):
        for each in value:
            yield from numbers(each)
    elif is_dataclass(value):
        for each in fields(value):
            yield from numbers(getattr(value, each.name))


def places(document: Any) -> Iterator[tuple[Any, Any]]:
    """Every place in a document: its container and the key or index."""
    if isinstance(document, dict | list):
        for key in list(document) if isinstance(document, dict) else range(len(document)):
            yield document, key
            yield from places(document[key])


def holds(said: Any) -> Document | None:
    """Read it, and hold what comes out to all that is promised of a Document; None if it is no such thing."""
    try:
        document = read(said)
    except Unreadable as error:
        why = str(error)
    else:
        bounded(document)
        return document
    assert why.isprintable()
    assert len(why) < 3000
    return None


def bounded(document: Document) -> None:
    """Hold a document to its bounds."""
    for text in texts(document):
        assert text.isprintable()
        # 200 characters, each of them at most as long as an escaped one, and what says that it was cut.
        assert len(text) <= 200 * len("\\U0001ffff") + 3
    assert all(0 <= number < math.inf for number in numbers(document) if number != math.inf)
    for each in (document.providers, document.callers, document.events, document.rejects):
        assert len(each) <= 100
    for more in (document.shadow, document.would_reject, document.queue.waits):
        assert len(more) <= 100
    for provider in document.providers:
        for counts in (provider.responses, provider.errors, provider.first_bytes, provider.tokens):
            assert len(counts) <= 100
        assert len(provider.breaker.verdicts) <= 100
        assert len(provider.breaker.scopes) <= 100
        assert 0 <= provider.breaker.share <= 1
        assert provider.breaker.keys is None or len(provider.breaker.keys.shown) <= 100


def agrees(document: Document, said: dict[str, Any]) -> None:
    """Hold every field of the record to what was said."""
    assert document.version == said["version"]
    assert (document.now, document.started_at, document.uptime) == (
        said["now"],
        said["started_at"],
        said["uptime_s"],
    )
    assert document.draining is said["draining"]
    assert {
        "limit": document.limit,
        "in_flight": document.in_flight,
        "per_caller": document.per_caller,
        "per_provider": document.per_provider,
    } == said["concurrency"]
    queue = said["queue"]
    assert document.queue == Queue(
        size=queue["size"],
        timeout=queue["timeout_s"],
        waiting=queue["waiting"],
        callers=queue["callers"],
        pace=queue["pace_per_s"],
        served=queue["served"],
        full=queue["full"],
        timed_out=queue["timed_out"],
        hopeless=queue["hopeless"],
        left=queue["left"],
        waits={float(bound): count for bound, count in queue["wait_s"]["buckets"].items()},
    )
    assert (list(document.shadow), document.would_reject) == (said["shadow"], said["would_reject"])
    limited = said["rate_limit"]
    assert (document.rate_limit, document.active_callers) == (limited["per_second"], limited["callers"])
    assert document.own_rates is limited.get("own", False)
    assert document.requests == said["requests"]["total"]
    assert document.statuses == said["requests"]["by_status"]
    listeners = said.get("connections", {})
    assert document.callers_connections == the_connections(listeners.get("callers"))
    assert document.admin_connections == the_connections(listeners.get("admin"))
    assert document.rejects == said["rejects"]
    assert document.providers == tuple(
        Provider(
            name=each["name"],
            in_flight=each["in_flight"],
            breaker=Breaker(
                enabled=each["breaker"]["enabled"],
                state=each["breaker"]["state"],
                mode=each["breaker"]["mode"],
                since=each["breaker"]["since_s"],
                left=each["breaker"]["cooldown_left_s"],
                failures=each["breaker"]["failures_in_window"],
                threshold=each["breaker"]["threshold"] or 0,
                probes=each["breaker"]["probes"],
                max_probes=each["breaker"]["max_probes"] or 0,
                trips=each["breaker"]["trips"],
                rejects=each["breaker"]["rejects"],
                verdicts=each["breaker"]["verdicts"],
                cooldown=each["breaker"]["cooldown_s"],
                in_a_row=each["breaker"]["in_a_row"],
                share=each["breaker"]["share"],
                scope=each["breaker"]["scope"],
                scopes=tuple(a_scope(scope) for scope in each["breaker"]["scopes"]),
                keys=the_keys(each["breaker"]["credentials"]),
                failure_share=each["breaker"]["failure_share_in_window"],
                needed_share=each["breaker"]["failure_share"] or 0.0,
                because=each["breaker"]["because"] or "",
                override=the_override(each["breaker"]["override"]),
            ),
            responses=each["upstream"]["responses"],
            errors=each["upstream"]["errors"],
            first_bytes={float(bound): count for bound, count in each["ttfb_s"]["buckets"].items()},
            tokens=each["tokens"],
            limit=each["limit"],
            unanswered=each["unanswered"],
            unanswered_for=each["unanswered_for_s"],
            adaptive=the_limiter(each["adaptive"]),
            keys=tuple(PoolKey(key["label"], key["state"], key["left_s"]) for key in each.get("keys", ())),
        )
        for each in said["providers"]
    )
    assert document.callers == tuple(
        Caller(**{name: value for name, value in each.items() if name != "class"}) for each in said["callers"]
    )
    assert document.events == tuple(
        Event(
            at=each["at"],
            kind=each["kind"],
            provider=each["provider"] or "",
            source=each["from"] or "",
            target=each["to"] or "",
            because=short(each["because"]),
            scope=each["scope"] or "",
        )
        for each in said["events"]
    )


def a_scope(said: dict[str, Any]) -> Scope:
    """The record of a scope."""
    return Scope(
        name=said["name"],
        state=said["state"],
        since=said["since_s"],
        left=said["cooldown_left_s"],
        cooldown=said["cooldown_s"],
        failures=said["failures_in_window"],
        probes=said["probes"],
        trips=said["trips"],
        in_a_row=said["in_a_row"],
        share=said["share"],
        rejects=said["rejects"],
        because=said["because"] or "",
        failure_share=said["failure_share_in_window"],
    )


def short(text: str) -> str:
    """As much of a text as a record keeps: the first 200 characters, and a sign that it was cut."""
    return text if len(text) <= 200 else text[:200] + "..."


def the_connections(said: dict[str, Any] | None) -> Connections:
    """The record of a listener's connections."""
    if said is None:
        return Connections()
    busiest = said["busiest"]
    return Connections(
        open=said["open"],
        max=said["max"],
        refused=said["refused"],
        busiest=(busiest["address"], busiest["open"]) if busiest else None,
    )


def the_limiter(said: dict[str, Any] | None) -> AdaptiveStats | None:
    """The record of an adaptive limiter, as the bridge's own: what is not limited is infinite."""
    if said is None:
        return None
    pushback = said["pushback"] or {"cause": None, "level": 0, "ago_s": None}
    return AdaptiveStats(
        governor=GovernorStats(
            active=said["active"],
            level=said["in_flight"],
            starts=said["starts"],
            bound=math.inf if said["bound"] is None else said["bound"],
            window=math.inf if said["window"] is None else said["window"],
            pace=math.inf if said["pace_per_s"] is None else said["pace_per_s"],
            by_tokens=said["by_tokens"],
            background=said["background"],
            outage=said["outage"],
            resumes_in=said["resumes_in_s"],
            cause=pushback["cause"],
            cause_level=pushback["level"],
            ago=math.inf if pushback["ago_s"] is None else pushback["ago_s"],
        ),
        held=said["held"],
        callers=said["callers"],
        rate=said["answers_per_s"],
        paced_keys=said["paced_keys"],
        budget=said["budget"],
        pushbacks=said["pushbacks"],
        resends=said["sent_again"],
        unfunded=said["unfunded"],
    )


def the_override(said: dict[str, Any] | None) -> Override | None:
    """The record of an override."""
    return None if said is None else Override(said["reason"], said["by"] or "", said["left_s"])


def the_keys(said: dict[str, Any] | None) -> Resting | None:
    """The record of keys that rest."""
    if said is None:
        return None
    shown = tuple((each["hint"], each["left_s"]) for each in said["callers"])
    return Resting(said["resting"], said["total"], said["evictions"], shown)


async def test_what_a_limiter_has_learned_is_read_as_the_bridge_knows_it(
    autojump_clock: MockClock, network: Network
) -> None:
    """What comes out of the document is what went in, but for what the counters know better."""
    await network.answer("anthropic", failing(529))
    async with network.bridge(adaptive=True) as bridge, trio.open_nursery() as nursery:
        nursery.start_soon(partial(bridge.client.post, MESSAGES, content=b"{}"))
        await trio.sleep(60)
        said = await bridge.status()
        document = read(said)
        agrees(document, said)
        found = {each.name: each.adaptive for each in document.providers}["anthropic"]
        assert found
        [backend] = [each for each in bridge.bridge.router if each.name == "anthropic"]
        assert backend.adaptive
        known = backend.adaptive.limiter.statistics(trio.current_time())
        assert limits(found) == limits(known)
        assert line(found) == line(known) == "1 held of 1 caller"
        assert found.governor.outage
        nursery.cancel_scope.cancel()


async def test_what_a_bridge_says_is_read_completely(autojump_clock: MockClock, network: Network) -> None:
    """Every field of a real document is in the record, fresh and after requests, a trip, rejects, an override."""

    async def busy(request: Request, reply: Reply) -> None:
        async for _ in request.body:
            pass
        await reply.answer(429, [(b"content-type", b"application/json")], b"{}")

    await network.answer("openai", busy)
    options = {"max_concurrency": 10, "rate_limit": 20, "circuit_breaker_failure_threshold": 3}
    async with network.bridge(circuit_breaker=True, circuit_breaker_failure_share=0.5, **options) as bridge:
        fresh = await bridge.status()
        agrees(read(fresh), fresh)
        assert tuple(read(fresh).rejects) == REASONS
        for _ in range(5):
            headers = {"authorization": "Bearer sk-0123456789abcdef"}
            await bridge.client.post("/openai/v1/chat/completions", headers=headers)
        await bridge.admin.post("/breakers/anthropic", json={"mode": "open"})
        said = await bridge.status()
        document = read(said)
    agrees(document, said)
    assert document.requests == 5
    assert document.rejects["circuit_open"] == 2
    openai, anthropic, copilot = document.providers
    assert (openai.breaker.word, anthropic.breaker.word, copilot.breaker.word) == ("open", "forced open", "closed")
    assert (openai.breaker.left, anthropic.breaker.left) == (30.0, None)
    assert openai.responses == {"429": 3}
    assert document.callers == (Caller("…cdef", 5, 2, 0),)
    assert [event.kind for event in document.events] == ["start", "breaker", "breaker", "override"]


@settings(max_examples=30)  # each has every field many times, and takes a tenth of a second
@given(DOCUMENTS)
def test_what_the_schema_allows_is_read_completely(said: Any) -> None:
    """Whatever the schema describes is read, every field of it; only texts may be made printable and short."""
    VALIDATOR.validate(said)
    document = holds(said)
    assert document is not None
    if all(text.isprintable() for text in texts(said)):
        agrees(document, said)


def test_what_is_not_known_here_is_ignored() -> None:
    """Documents may grow: new properties at every place change nothing."""
    grown = a_document()
    for container, _ in list(places(grown)):
        # Maps of counts have no properties but their counts.
        if isinstance(container, dict) and not all(isinstance(each, int) for each in container.values()):
            container["new"] = {"of": ["tomorrow"]}
    assert grown != a_document()
    assert read(grown) == read(a_document())


def test_a_bridge_that_does_not_tell_when_it_started_is_read() -> None:
    """Bridges of 0.1.0 have no started_at: it is 0, and all else as ever."""
    said = a_document()
    del said["started_at"]
    assert read(said).started_at == 0.0
    agrees(read(said), said | {"started_at": 0.0})


def test_an_older_bridge_is_read_with_all_that_is_new_off() -> None:
    """A document without queue, scopes, key cooldowns and shadow is read as with these off, else unchanged."""
    document = read(a_document(100.0, older))
    new = a_document(100.0)
    new["queue"]["wait_s"]["buckets"] = new["would_reject"] = {}
    agrees(document, new)
    assert document.queue.size == 0


@given(JSON)
def test_anything_is_a_document_or_unreadable(said: Any) -> None:
    """Any JSON at all gives Unreadable, and nothing else."""
    assert holds(said) is None


@given(st.data())
def test_a_changed_document_is_a_document_or_unreadable(data: st.DataObject) -> None:
    """A good document with anything at any place, or without it, gives a bounded Document or Unreadable."""
    said = copy.deepcopy(GOOD)
    for _ in range(data.draw(st.integers(1, 3))):
        container, key = data.draw(st.sampled_from(list(places(said))))
        match data.draw(st.sampled_from(["put", "text", "number", "drop", "name"])):
            case "put":
                container[key] = data.draw(JSON)
            case "text":
                container[key] = data.draw(TEXTS)
            case "number":
                container[key] = data.draw(NUMBERS)
            case "name" if isinstance(container, dict):
                container[data.draw(TEXTS)] = container.pop(key)
            case _:
                container.pop(key)
    holds(said)


KEYS = {"resting": 1, "total": 4, "evictions": 0, "callers": [{"hint": "…x7Qa", "left_s": 12.5}]}


SCOPED = breaking("openai", scope="model", scopes=[said_of_a_scope("gpt-4o")], credentials=KEYS)


GOOD = a_document(100.0, SCOPED)


def changed(path: str, value: Any) -> dict[str, Any]:
    """A good document with something else at one place."""
    said = copy.deepcopy(GOOD)
    *way, last = path.split("/")
    container: Any = said
    for step in way:
        container = container[int(step) if isinstance(container, list) else step]
    container[int(last) if isinstance(container, list) else last] = value
    return said


@pytest.mark.parametrize("value", [-1, 1.5, True, "1", None, (1 << 63) + 1, 10**4000, math.nan, math.inf, [], {}])
@pytest.mark.parametrize(
    "path",
    [
        "concurrency/limit",
        "concurrency/in_flight",
        "rate_limit/per_second",
        "rate_limit/callers",
        "requests/total",
        "rejects/capacity",
        "providers/0/in_flight",
        "providers/0/upstream/responses/200",
        "providers/0/ttfb_s/buckets/10",
        "providers/0/breaker/trips",
        "callers/0/requests",
        "concurrency/per_caller",
        "concurrency/per_provider",
        "queue/size",
        "queue/waiting",
        "queue/hopeless",
        "queue/wait_s/buckets/10",
        "would_reject/capacity",
        "providers/0/limit",
        "providers/0/breaker/in_a_row",
        "providers/0/breaker/scopes/0/trips",
        "providers/0/breaker/credentials/resting",
    ],
)
def test_what_is_counted_is_a_whole_number(path: str, value: Any) -> None:
    """A count that is negative, broken, too large or no number makes a document unreadable."""
    with pytest.raises(Unreadable):
        read(changed(path, value))


TIMES = [
    "now",
    "started_at",
    "uptime_s",
    "providers/0/breaker/since_s",
    "events/0/at",
    "queue/timeout_s",
    "providers/0/breaker/scopes/0/since_s",
    "providers/0/breaker/credentials/callers/0/left_s",
    "providers/0/breaker/share",
    "providers/0/breaker/scopes/0/share",
]


@pytest.mark.parametrize("value", [-0.1, True, "1", None, 1e12, 10**4000, math.nan, math.inf, [], {}])
@pytest.mark.parametrize("path", TIMES)
def test_a_time_is_a_finite_number_from_0_on(path: str, value: Any) -> None:
    """A time that is negative, not finite, too far away for a date or no number makes a document unreadable."""
    with pytest.raises(Unreadable):
        read(changed(path, value))


@pytest.mark.parametrize("path", ["providers/0/breaker/share", "providers/0/breaker/scopes/0/share"])
def test_no_more_than_all_is_admitted(path: str) -> None:
    """A share above 1 makes a document unreadable."""
    assert read(changed(path, 1)).providers[0].breaker.share == 1.0
    with pytest.raises(Unreadable, match=r"a number of 1\.01"):
        read(changed(path, 1.01))


@pytest.mark.parametrize("value", [-0.1, True, "1", 1e12, math.nan, math.inf, []])
@pytest.mark.parametrize("path", ["queue/pace_per_s", "providers/0/breaker/cooldown_s"])
def test_what_may_be_unknown_is_nothing_else(path: str, value: Any) -> None:
    """A pace or a cooldown is null or a number with its bounds."""
    read(changed(path, None))
    with pytest.raises(Unreadable):
        read(changed(path, value))


@pytest.mark.parametrize("bound", ["nan", "-1", "0", "-inf", "x", "", "1e"])
def test_a_bound_of_the_histogram_is_above_0(bound: str) -> None:
    """A histogram with a bound that is no number above 0 makes a document unreadable."""
    with pytest.raises(Unreadable):
        read(changed("providers/0/ttfb_s/buckets", {bound: 3, "+Inf": 4}))


@pytest.mark.parametrize("schema", [0, 2, "1", None, [1]])
def test_another_schema_is_unreadable_and_says_so(schema: Any) -> None:
    """A schema that is not known here is named, and the one that is."""
    with pytest.raises(Unreadable, match="this program reads 1"):
        read(a_document(3.0) | {"schema": schema})


def test_what_is_wrong_is_said() -> None:
    """Unreadable says what was found instead."""
    with pytest.raises(Unreadable, match="counts -1"):
        read(changed("requests/total", -1))
    with pytest.raises(Unreadable, match="a time of nan"):
        read(changed("now", math.nan))
    with pytest.raises(Unreadable, match="no status of an AI Bridge"):
        read({"schema": 1})


@pytest.mark.parametrize(
    "path", ["version", "schema", "providers/0/name", "requests/total", "now", "callers/0/hint"]
)
def test_what_is_nested_for_ever_is_unreadable_or_cut(path: str) -> None:
    """Nesting deeper than any stack gives Unreadable, and no RecursionError."""
    deep: Any = []
    for _ in range(100_000):
        deep = [deep]
    assert holds(changed(path, deep)) is None
    while deep:  # unwound here, because the interpreter would do it by recursion
        deep = deep.pop()


def test_ten_thousand_of_everything_become_a_hundred() -> None:
    """However much is said of anything, a hundred entries of it are kept."""
    said = a_document(100.0)
    said["providers"] = said["providers"][:1] * 10_000
    said["callers"] = said["callers"][:1] * 10_000
    said["events"] = said["events"][:1] * 10_000
    many = {f"reason_{number}": number for number in range(10_000)}
    said["rejects"] = many
    said["providers"][0]["upstream"]["responses"] = many
    said["providers"][0]["ttfb_s"]["buckets"] = {f"{number}.5": number for number in range(10_000)}
    said["would_reject"] = many
    said["shadow"] = ["rate"] * 10_000
    said["queue"] = a_queue(size=5)
    said["queue"]["wait_s"]["buckets"] = {f"{number}.5": number for number in range(10_000)}
    breaker = said["providers"][0]["breaker"]
    breaker["scopes"] = [said_of_a_scope("gpt-4o")] * 10_000
    breaker["credentials"] = KEYS | {"callers": [{"hint": "x", "left_s": 1.0}] * 10_000}
    document = holds(said)
    assert document is not None
    keys = document.providers[0].breaker.keys
    assert keys is not None
    assert len(keys.shown) == len(document.providers[0].breaker.scopes) == len(document.queue.waits) == 100
    assert len(document.shadow) == len(document.would_reject) == 100
    assert len(document.providers) == len(document.callers) == len(document.events) == len(document.rejects) == 100
    assert len(document.providers[0].responses) == len(document.providers[0].first_bytes) == 100


def test_a_text_is_cut_and_made_visible() -> None:
    """Control codes are spelled out, and a long text is cut at its bound."""
    document = read(changed("providers/0/name", "\x1b[31mred\n\u202e\x9b"))
    assert document.providers[0].name == "\\x1b[31mred\\n\\u202e\\x9b"
    assert read(changed("version", "x" * 5000)).version == "x" * 200 + "..."
