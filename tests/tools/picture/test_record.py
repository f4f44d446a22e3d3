"""The recorded run, in short."""

from __future__ import annotations

from pathlib import Path

import pytest
import trio

from tools.picture import record, recording
from tools.picture.draw import svg

pytestmark = pytest.mark.real


def test_a_run_ends_in_an_outage_and_can_be_drawn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a crowd and an outage after a second each, the last document has openai's 429s."""
    monkeypatch.setattr(recording, "_FILE", tmp_path / "recording.jsonl")
    monkeypatch.setattr(recording, "_INTERVAL", 1.0)
    for name, seconds in (("_CROWD_AT", 1.0), ("_CROWD_LASTS", 0.5), ("_OUTAGE_AT", 2.0), ("_END", 6.0)):
        monkeypatch.setattr(record, name, seconds)
    trio.run(record.run)
    documents = recording.load()
    last = documents[-1]
    assert last["requests"]["total"] > 0
    [openai] = [each for each in last["providers"] if each["name"] == "openai"]
    assert openai["upstream"]["responses"]["429"] > 0
    assert "aibridge top" in svg(documents)
