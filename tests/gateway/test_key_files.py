"""Keys are reread from their files: rewritten, replaced, linked anew, and never in the middle of being written."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path

import pytest
import trio

from aibridge_trio.config.provider_tables import KeyTable
from aibridge_trio.config.settings import Secret
from aibridge_trio.core.key_pool import KeyState
from aibridge_trio.events import KeyChanged
from aibridge_trio.gateway import key_files
from aibridge_trio.gateway.key_files import KeyFiles, _look, _Watched
from tests.gateway.test_keyed_request import INVALID, Provider, keys_in_status, post, table
from tests.support.network import Network

# How often files are looked at in these tests (seconds, of real time: a thread looks).
INTERVAL = 0.1


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(key_files, "INTERVAL", INTERVAL)


class Files:
    """What was reread, and what was warned of; `look` is one round."""

    def __init__(self, *paths: Path) -> None:
        self.watched = {path: _Watched() for path in paths}

    def look(self) -> dict[Path, str]:
        found = _look(self.watched).items()
        return {path: each.reveal() if isinstance(each, Secret) else f"! {each}" for path, each in found}


def test_a_file_is_read_when_it_has_looked_the_same_twice(tmp_path: Path) -> None:
    """Once for each change, and once at first."""
    path = tmp_path / "key"
    path.write_text("one\n")
    files = Files(path)
    assert [files.look() for _ in range(4)] == [{}, {path: "one"}, {}, {}]
    path.write_text("tw")
    assert files.look() == {}
    path.write_text("two")
    assert [files.look() for _ in range(3)] == [{}, {path: "two"}, {}]


def test_what_cannot_be_read_is_said_once(tmp_path: Path) -> None:
    """Empty, gone, or no key: each change of that kind is a problem once, and a key again is a key."""
    path = tmp_path / "key"
    files = Files(path)
    said: list[str] = []
    for content in ("", None, "two\nlines", "key"):
        if content is None:
            path.unlink()
        else:
            path.write_text(content)
        for _ in range(4):
            said += files.look().values()
    assert [each.partition(" ")[0] for each in said] == ["!", "!", "!", "key"]
    assert "cannot be read" in said[1]


def test_links_that_are_swapped_are_changes(tmp_path: Path) -> None:
    """As Kubernetes does it: the folder behind the link is another one, and no file was touched."""
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "key").write_text(name)
    link = tmp_path / "..data"
    link.symlink_to("one")
    path = tmp_path / "key"
    path.symlink_to("..data/key")
    files = Files(path)
    files.look()
    assert files.look() == {path: "one"}
    swap = tmp_path / "swap"
    swap.symlink_to("two")
    swap.replace(link)
    assert [files.look() for _ in range(2)] == [{}, {path: "two"}]


async def test_files_of_another_configuration_are_watched(tmp_path: Path) -> None:
    """From `watch` on, also where there was none before; those that are watched no more are not read."""
    first, second = tmp_path / "first", tmp_path / "second"
    seen: list[dict[Path, str]] = []

    def reread(secrets: Mapping[Path, Secret], changed: Collection[Path]) -> None:
        assert not changed
        seen.append({path: each.reveal() for path, each in secrets.items()})

    files = KeyFiles([], reread, lambda _: None)
    first.write_text("1")
    second.write_text("2")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(files.run)
        await trio.testing.wait_all_tasks_blocked()
        files.watch([first])
        await trio.sleep(2.5 * INTERVAL)
        files.watch([second])
        first.write_text("3")
        await trio.sleep(3.5 * INTERVAL)
        nursery.cancel_scope.cancel()
    assert seen == [{first: "1"}, {second: "2"}]


async def test_a_bridge_takes_the_new_key_without_a_restart(network: Network, tmp_path: Path) -> None:
    """The next request has it; one whose file is broken keeps the old one, with a warning that names the file."""
    path = tmp_path / "openai-key"
    path.write_text("sk-old")
    provider = Provider()
    await network.answer("openai", provider)
    key = Secret("sk-old", file=path)
    async with network.bridge(openai_api_key=key) as bridge:
        await post(bridge)
        path.write_text("")
        await trio.sleep(3 * INTERVAL)
        await post(bridge)
        path.write_text("sk-new\n")
        await trio.sleep(3 * INTERVAL)
        await post(bridge)
    assert provider.keys == ["old", "old", "new"]
    [change] = bridge.published(KeyChanged)
    assert (change.label, change.state) == ("OPENAI_API_KEY", KeyState.READY)
    assert change.because == "its file has changed"


async def test_a_key_that_was_out_is_back_with_its_file(network: Network, tmp_path: Path) -> None:
    """Also if the file has the same key again: its owner may have made it valid."""
    path = tmp_path / "a"
    path.write_text("sk-a")
    provider = Provider(a=INVALID)
    await network.answer("openai", provider)
    keys = [KeyTable(label="a", secret=Secret("sk-a"), file=path), KeyTable(label="b", secret=Secret("sk-b"))]
    async with network.bridge(provider_tables=(table(keys),)) as bridge:
        await post(bridge)
        await trio.sleep(3 * INTERVAL)
        assert [each["state"] for each in keys_in_status(bridge)] == ["out", "ready"], (
            "the first look is no change"
        )
        provider.answers.clear()
        path.write_text("sk-a")
        await trio.sleep(3 * INTERVAL)
        assert [each["state"] for each in keys_in_status(bridge)] == ["ready", "ready"]
