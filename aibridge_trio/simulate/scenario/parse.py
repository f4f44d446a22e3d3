"""Reads scenarios from TOML; docs/simulate.md has every key. Durations are seconds."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from aibridge_trio.config import files
from aibridge_trio.config import units as u
from aibridge_trio.config.units import InvalidValue, Unit, choice
from aibridge_trio.errors import UsageError
from aibridge_trio.printable import quoted
from aibridge_trio.simulate.scenario.scenario import PROVIDER, Crowd, Group, Model, Phase, Scenario
from aibridge_trio.simulate.scenario.settings import KNOWN, Values, default_settings
from aibridge_trio.simulate.scenario.toml_table import Table
from aibridge_trio.simulate.world.clients import CLIENTS, Client

# Larger numbers are likely typing errors, and would take hours.
_MOST_CALLERS = 100_000
_MOST_REQUESTS = 5_000_000


def _numbers(text: str) -> tuple[float, ...]:
    return tuple(u.NUMBER.parse(part.strip()) for part in text.split(",")) if text else ()


def _counts(text: str) -> tuple[int, ...]:
    return tuple(u.COUNT.parse(part.strip()) for part in text.split(",")) if text else ()


def _retry_after(text: str) -> float | None:
    if text == "none":
        return None
    return math.inf if text == "true" else u.SPAN.parse(text)


_NUMBERS = Unit(_numbers, "N,...", "0.5,1,2")
_COUNTS = Unit(_counts, "N,...", "100,60,80")
_STATUSES = Unit(_counts, "STATUS,...", "429,503")
_WORD = Unit(_retry_after, "D|none|true", "30s")
_FAULT = choice(
    *("none", "400", "401", "500", "502", "503", "504", "529", "429", "exhausted"),
    *("refuse", "hang", "overloaded", "break"),
)
_FULL = choice("queue", "slow", "429", "503", "529")
_KEYS = choice("central", "own")
_BEYOND = choice("backoff", "stop")


def load(path: Path) -> Scenario:
    """Read a scenario from a file. Raises UsageError."""
    try:
        return parsed(str(path), files.table(path))
    except InvalidValue as unfit:
        raise UsageError(
            f"SCENARIO: {quoted(str(path), 255)} {unfit}; name a scenario or a readable TOML file"
        ) from None


def parsed(file: str, raw: dict[str, Any]) -> Scenario:
    """Read a scenario from a TOML document. Raises UsageError."""
    top = Table(file, "", raw)
    about = top.take("about", u.TEXT, "")
    duration = top.take("duration", u.SPAN)
    clients = dict(CLIENTS)
    own = top.table("clients")
    for name in own:
        clients[name] = _client(name, own.table(name))
    model = _model(top.table("provider"))
    named = top.table("providers")
    others = {name: _model(named.table(name)) for name in named}
    models = {PROVIDER: model, **others}
    groups = tuple(_group(table, clients, models) for table in top.tables("callers"))
    if not groups:
        raise top.mistake("callers", "there are none", "add [[callers]] with count = 40")
    names = [group.name for group in groups]
    crowds = tuple(crowd for table in top.tables("crowds") for crowd in _crowds(table, names, duration))
    phases = tuple(phase for table in top.tables("phases") for phase in _phases(table, [*models], duration))
    settings = _settings(top.table("settings"))
    top.end()
    scenario = Scenario(
        name=Path(file).stem,
        about=about,
        duration=duration,
        groups=groups,
        crowds=crowds,
        model=model,
        phases=phases,
        settings=settings,
        others=others,
    )
    check_size(scenario, file)
    return scenario


def check_size(scenario: Scenario, file: str) -> None:
    """Refuse a scenario that would take hours. Raises UsageError."""
    table = Table(file, "", {})
    if scenario.callers > _MOST_CALLERS:
        raise table.mistake("callers", f"more than {_MOST_CALLERS:,} in all", "simulate fewer")
    times = max([1.0, *(crowd.times for crowd in scenario.crowds)])
    wanted = sum(
        group.count * group.requests_per_minute * max(group.curve, default=1.0) for group in scenario.groups
    )
    wanted *= scenario.duration / 60
    if wanted * times > _MOST_REQUESTS:
        raise table.mistake("duration", f"more than {_MOST_REQUESTS:,} requests", "simulate a shorter time")


def _client(name: str, table: Table) -> Client:
    client = Client(
        name=name,
        retries=table.take("retries", u.COUNT),
        statuses=table.take("statuses", _STATUSES, ()),
        server_errors=table.take("server_errors", u.BOOLEAN, default=False),
        transport=table.take("transport", u.BOOLEAN, default=True),
        streams=table.take("streams", u.COUNT, 0),
        restarted=table.take("restarted", _STATUSES, ()),
        longest_told=table.take("longest_told", u.DURATION, 0.0),
        beyond=table.take("beyond", _BEYOND, "backoff"),  # type: ignore[arg-type]
        milliseconds=table.take("milliseconds", u.BOOLEAN, default=True),
        at_least=table.take("at_least", u.BOOLEAN, default=False),
        believes=table.take("believes", u.BOOLEAN, default=False),
        first=table.take("first", u.SPAN, 0.5),
        factor=table.take("factor", u.NUMBER, 2.0),
        longest=table.take("longest", u.SPAN, 8.0),
        shorter=table.take("shorter", u.SHARE, 0.0),
        longer=table.take("longer", u.SHARE, 0.0),
    )
    table.end()
    return client


def _group(table: Table, clients: dict[str, Client], models: dict[str, Model]) -> Group:
    client = table.take("client", choice(*clients), "openai-python")
    provider = table.take("provider", choice(*models), PROVIDER)
    model = models[provider]
    group = Group(
        name=table.take("name", u.TEXT, table.name.replace("[[callers]]", "callers")),
        count=table.take("count", u.POSITIVE),
        client=clients[client],
        requests_per_minute=table.take("requests_per_minute", u.NUMBER),
        patience=table.take("patience", u.SPAN, 60.0),
        provider=provider,
        prompt_tokens=table.take("prompt_tokens", u.COUNT, model.prompt_tokens),
        prompt_tokens_spread=table.take("prompt_tokens_spread", u.NUMBER, model.prompt_tokens_spread),
        answer_tokens=table.take("answer_tokens", u.POSITIVE, model.answer_tokens),
        answer_tokens_spread=table.take("answer_tokens_spread", u.NUMBER, model.answer_tokens_spread),
        curve=table.take("curve", _NUMBERS, ()),
    )
    table.end()
    return group


def _crowds(table: Table, names: list[str], duration: float) -> list[Crowd]:
    times = table.take("times", u.NUMBER)
    group = table.take("callers", choice(*names, ""), "")
    spans = _spans(table, duration)
    table.end()
    return [Crowd(start, end, times, group) for start, end in spans]


def _spans(table: Table, duration: float) -> list[tuple[float, float]]:
    """Return start and end: once, or repeated with the period `every` until the end."""
    start = table.take("from", u.DURATION)
    length = table.take("for", u.SPAN)
    every = table.take("every", u.SPAN, math.inf)
    until = min(table.take("until", u.SPAN, duration), duration)
    if every <= length:
        raise table.mistake("every", "comes again before it is over", "make it longer than for")
    if start >= duration:
        raise table.mistake("from", "is after the end", "make it earlier, or the duration longer")
    spans = []
    while start < until:
        spans.append((start, start + length))
        start += every
    return spans


def _model(table: Table) -> Model:
    model = Model(
        slots=table.take("slots", u.COUNT, 0),
        slots_curve=table.take("slots_curve", _COUNTS, ()),
        when_full=table.take("when_full", _FULL, "529"),
        queue=table.take("queue", u.COUNT, 0),
        full_retry_after=table.take("full_retry_after", u.DURATION, 0.0),
        first_token=table.take("first_token", u.SPAN, 0.6),
        first_token_spread=table.take("first_token_spread", u.NUMBER, 0.5),
        tokens_per_second=table.take("tokens_per_second", u.NUMBER, 60.0),
        answer_tokens=table.take("answer_tokens", u.POSITIVE, 300),
        answer_tokens_spread=table.take("answer_tokens_spread", u.NUMBER, 0.8),
        prompt_tokens=table.take("prompt_tokens", u.COUNT, 2000),
        prompt_tokens_spread=table.take("prompt_tokens_spread", u.NUMBER, 0.0),
        error_latency=table.take("error_latency", u.DURATION, 0.1),
        own_keys=table.take("keys", _KEYS, "central") == "own",
        requests_per_minute=table.take("requests_per_minute", u.COUNT, 0),
        tokens_per_minute=table.take("tokens_per_minute", u.COUNT, 0),
        quota_burst=table.take("quota_burst", u.SPAN, 10.0),
        quota_headers=table.take("quota_headers", u.BOOLEAN, default=False),
    )
    if not model.tokens_per_second:
        raise table.mistake("tokens_per_second", "no answer would ever end", "write e.g. tokens_per_second = 60")
    table.end()
    return model


def _phases(table: Table, providers: list[str], duration: float) -> list[Phase]:
    spans = _spans(table, duration)
    fault = table.take("fault", _FAULT, "none")
    share = table.take("share", u.SHARE, 1.0)
    # NaN stands for a missing key: None is a value, an error without Retry-After.
    retry_after = table.take("retry_after", _WORD, math.nan)
    cuts = table.take("cuts", u.BOOLEAN, default=False)
    slower = table.take("slower", u.NUMBER, 1.0)
    slots = table.take("slots", u.POSITIVE, -1)
    provider = table.take("provider", choice(*providers, ""), "")
    table.end()
    word = None if retry_after is None or math.isnan(retry_after) else retry_after
    return [
        Phase(start, end, fault, share, word, cuts, slower or 1.0, None if slots < 0 else slots, provider)
        for start, end in spans
    ]


def _settings(table: Table) -> Values:
    table.end(tuple(KNOWN))
    return default_settings() | {key: table.read(key, KNOWN[key].unit, KNOWN[key].example) for key in table}
