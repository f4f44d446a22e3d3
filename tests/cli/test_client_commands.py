"""The commands that ask running bridges; tests/cli/test_main.py has those that give an order."""

from __future__ import annotations

from typing import Any

import pytest

from aibridge_trio.admin import explaining
from aibridge_trio.admin.orders import Outcome
from aibridge_trio.cli import main as cli
from aibridge_trio.errors import CommandError


def test_explain_asks_and_prints(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """With an id and without; what is not known is an error, with status 1."""
    asked: list[Any] = []

    def explain(urls: Any, token: Any, request_id: str, *, as_json: bool) -> Outcome:
        asked.append((urls, request_id, as_json))
        return Outcome(["a line"], CommandError("none is kept") if request_id == "req_2" else None)

    monkeypatch.setattr(explaining, "explain", explain)
    assert cli.main(["explain"]) == 0
    assert cli.main(["explain", "req_1", "--json", "--url", "http://a,http://b"]) == 0
    assert cli.main(["explain", "req_2"]) == 1
    assert asked == [
        (("http://127.0.0.1:4002",), "", False),
        (("http://a", "http://b"), "req_1", True),
        (("http://127.0.0.1:4002",), "req_2", False),
    ]
    said = capsys.readouterr()
    assert said.out == "a line\n" * 3
    assert said.err == "aibridge: none is kept\n"
