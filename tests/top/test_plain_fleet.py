"""Several replicas without a screen: a slow one holds up nothing."""

from __future__ import annotations

import json
import zlib
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from aibridge_trio.admin.client import AdminClient, Unreachable
from aibridge_trio.errors import CommandError
from aibridge_trio.top import plain_fleet
from aibridge_trio.top.watched_fleet import RESOLVE
from tests.support.pictures import OPEN, a_document, breaking


class Good(AdminClient):
    """A bridge that is well, with a start of its own."""

    def is_itself(self, document: dict[str, Any]) -> None:
        document["started_at"] += zlib.crc32(self.url.encode()) / 2**40

    async def follow(self, hear: Callable[[Any], None]) -> None:
        for second in range(100_000):
            hear(a_document(1000.0 + second, self.is_itself))
            await trio.sleep(1.0)

    async def status(self) -> Any:
        return a_document(1000.0, self.is_itself)


class Odd(Good):
    """A bridge of another version, with an open breaker."""

    def is_itself(self, document: dict[str, Any]) -> None:
        super().is_itself(document)
        breaking("openai", **OPEN)(document)
        document["version"] = "0.0.9"


class Babble(Good):
    """What answers is no status."""

    async def status(self) -> Any:
        return {"schema": 1}


class Slow(AdminClient):
    async def follow(self, hear: Callable[[Any], None]) -> None:
        await trio.sleep_forever()


class Gone(AdminClient):
    async def follow(self, hear: Callable[[Any], None]) -> None:
        raise Unreachable(self.url, "connection refused")

    async def status(self) -> Any:
        raise Unreachable(self.url, "connection refused")


async def test_a_frame_comes_in_time(autojump_clock: MockClock, capsys: pytest.CaptureFixture[str]) -> None:
    """Those that do not answer are rows with the cause."""
    with trio.fail_after(5):
        await plain_fleet.print_frame([Good("http://a"), Slow("http://b"), Gone("http://c")], 1.0, styled=False)
    shown = capsys.readouterr().out
    assert "1 of 3 replicas" in shown
    assert "no answer yet" in shown
    assert "connection refused" in shown


async def test_no_answer_at_all_is_an_error(autojump_clock: MockClock) -> None:
    """It names each cause."""
    with pytest.raises(CommandError) as failed:
        await plain_fleet.print_frame([Gone("http://c"), Gone("http://d"), Slow("http://b")], 1.0, styled=False)
    assert str(failed.value) == (
        "no bridge answers: http://c, http://d (connection refused); http://b (no answer yet); see --url"
    )


async def found() -> Sequence[AdminClient]:
    """No others than before."""
    raise CommandError("not asked")


def lines(capsys: pytest.CaptureFixture[str]) -> list[Any]:
    """The lines of JSON that were printed."""
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


async def test_json_once(autojump_clock: MockClock, capsys: pytest.CaptureFixture[str]) -> None:
    """A line for each with what is urgent there, and one of all, with what differs."""
    clients = [Good("http://a"), Gone("http://c"), Odd("http://b"), Good("http://d"), Babble("http://e")]
    await plain_fleet.print_json(clients, found, 1.0, once=True)
    *each, fleet = lines(capsys)
    errors = {line["replica"]: line["error"] for line in each if "error" in line}
    assert errors.keys() == {"http://c", "http://e"}
    assert errors["http://c"] == "connection refused"
    opened = {line["replica"]: "openai OPEN, 26s left" in line["alerts"] for line in each if "alerts" in line}
    assert opened == {"http://a": False, "http://b": True, "http://d": False}
    assert fleet["fleet"] == {"replicas": 5, "answering": 3}
    assert fleet["alerts"] == ["NO ANSWER from 2 of 5", "openai OPEN at 1 of 3"]
    assert fleet["differs"][0] == {"what": "version", "usual": "0.1.0", "others": {"0.0.9": ["http://b"]}}
    with pytest.raises(CommandError, match=r"no bridge answers: http://c \(connection refused\)"):
        await plain_fleet.print_json([Gone("http://c")], found, 1.0, once=True)


async def test_json_without_an_end(autojump_clock: MockClock, capsys: pytest.CaptureFixture[str]) -> None:
    """Each every interval, an error once, the fleet every interval; replicas come and go."""
    now = [Good("http://a"), Gone("http://c")]

    async def find() -> Sequence[AdminClient]:
        await trio.lowlevel.checkpoint()
        return [now[0], Good("http://new")]

    with trio.move_on_after(RESOLVE + 4.5):
        await plain_fleet.print_json(now, find, 2.0, once=False)
    said = lines(capsys)
    count = Counter("fleet" if "fleet" in line else line["replica"] for line in said)
    assert count == {"http://a": 8, "http://c": 1, "http://new": 3, "fleet": 7}
    assert [line["fleet"]["answering"] for line in said if "fleet" in line] == [1, 1, 1, 1, 1, 2, 2]
