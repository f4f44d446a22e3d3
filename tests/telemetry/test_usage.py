"""What is shown of limits on tokens and of budgets."""

from __future__ import annotations

from datetime import UTC, datetime

import jsonschema
import trio
from trio.testing import MockClock

from aibridge_trio.config.provider_tables import ProviderTable
from aibridge_trio.core.terms import Rate, TokenBudget
from tests.support.network import Network
from tests.support.spenders import ask, body, known, minute, spender, token, using
from tests.telemetry.test_status import VALIDATOR

OPENAI = ProviderTable(
    name="openai", dialect="openai", base_url="http://openai/v1", rate=Rate(10, 1.0), token_rate=minute(9000)
)


async def test_what_each_limit_has_counted(autojump_clock: MockClock, network: Network) -> None:
    """Of callers by name, of classes and providers; what runs beside what is settled."""
    await network.answer("openai", using(90, 20, after=5))
    callers = known(
        spender("a", "ci", tokens=1000), spender("b", budget=TokenBudget(5000, "week")), spender("c"), ci=2000
    )
    async with network.bridge(known_callers=callers, provider_tables=(OPENAI,)) as bridge:
        async with trio.open_nursery() as nursery:
            for name in "abc":
                await ask(bridge.client, name, body(100, max_tokens=200))
            for name in "ab":
                nursery.start_soon(ask, bridge.client, name, body(100, max_tokens=300))
            await trio.sleep(1)
            document = await bridge.status()
            VALIDATOR.validate(document)
            first, second = document["usage"]["callers"]
            counted = {"limit": 1000, "span_s": 60, "settled": 110, "running": 400}
            assert first == {"name": "a", "class": "ci", "tokens": counted, "budget": None}
            ends = second["budget"].pop("ends_at")
            assert datetime.fromtimestamp(ends, UTC).weekday() == 0
            spent = {"tokens": 5000, "per": "week", "spent": 110, "running": 400}
            assert second == {"name": "b", "class": None, "tokens": None, "budget": spent}
            limits = {(each["scope"], each["name"], each["unit"]): each for each in document["usage"]["limits"]}
            assert limits["class", "ci", "tokens"]["running"] == 400
            assert limits["provider", "openai", "tokens"]["settled"] == 330
            assert limits["provider", "openai", "requests"]["limit"] == 10
            of_class = {"scope": "class", "owner": "ci", "unit": "tokens"}
            assert await bridge.metric("usage_limit", **of_class) == 2000
            assert await bridge.metric("usage_counted", **of_class) == 510
        metrics = (await bridge.admin.get("/metrics")).text
    assert token("a") not in str(document) + metrics


async def test_callers_are_few_in_the_document(autojump_clock: MockClock, network: Network) -> None:
    """Of many callers those that use most of their limit."""
    await network.answer("openai", using(90, 20))
    callers = known(*(spender(f"caller-{number}", tokens=1000 + number) for number in range(50)))
    async with network.bridge(known_callers=callers) as bridge:
        for number in range(50):
            await ask(bridge.client, f"caller-{number}", body(100, max_tokens=200))
        shown = (await bridge.status())["usage"]["callers"]
    assert [each["name"] for each in shown] == [f"caller-{number}" for number in range(20)]


async def test_a_changed_limit_is_shown_at_once(autojump_clock: MockClock, network: Network) -> None:
    """A caller that is gone is not shown, and one whose limit is another has that one."""
    await network.answer("openai", using(90, 20))
    async with network.bridge(known_callers=known(spender("a", tokens=1000), spender("b", tokens=1000))) as bridge:
        for name in "ab":
            await ask(bridge.client, name, body(100, max_tokens=200))
        bridge.bridge.spending.apply(known(spender("b", tokens=500)), ())
        [shown] = (await bridge.status())["usage"]["callers"]
        assert shown["name"] == "b"
        assert shown["tokens"] == {"limit": 500, "span_s": 60, "settled": 110, "running": 0}


async def test_without_limits_there_is_nothing(autojump_clock: MockClock, network: Network) -> None:
    """Empty lists, as the schema has them."""
    async with network.bridge() as bridge:
        document = await bridge.status()
    jsonschema.Draft202012Validator.check_schema(VALIDATOR.schema)
    assert document["usage"] == {"callers": [], "limits": []}
