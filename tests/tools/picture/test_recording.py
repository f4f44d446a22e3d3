"""What is kept of a run's documents."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.support.pictures import a_document
from tools.picture import recording
from tools.picture.draw import svg


def test_the_picture_of_what_is_kept_is_the_picture_of_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """But for the sparklines, which are as smooth as the documents are far apart: all else is the same."""
    monkeypatch.setattr(recording, "_FILE", tmp_path / "recording.jsonl")
    run = [a_document(1000.0 + second) for second in range(40)]
    recording.save(run)
    kept = recording.load()
    assert len(kept) < len(run) / 2
    without = [_without_sparklines(svg(documents)) for documents in (run, kept)]
    assert without[0] == without[1]


def test_a_kept_document_has_its_time_and_its_totals(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of all but two that is all; the last is the run's last."""
    monkeypatch.setattr(recording, "_FILE", tmp_path / "recording.jsonl")
    run: list[Any] = [a_document(1000.0 + second) for second in range(40)]
    recording.save(run)
    kept = recording.load()
    assert [bool(each["providers"]) for each in kept].count(True) == 2
    assert kept[-1]["callers"] == run[-1]["callers"]
    by_time = {each["uptime_s"]: each["requests"] for each in run}
    assert all(each["requests"] == by_time[each["uptime_s"]] for each in kept)


def _without_sparklines(text: str) -> list[str]:
    return [line for line in text.splitlines() if not set(line) & set("▁▂▃▄▅▆▇█")]
