"""Compressed request bodies."""

from __future__ import annotations

import gzip
import json
from typing import TYPE_CHECKING

import pytest
from backports import zstd

from aibridge_trio.mock import Mock, MockOptions
from tests.support.mock_provider import call

if TYPE_CHECKING:
    pass
from tests.mock.test_mock import ASK, CHAT, PACKS


@pytest.mark.parametrize("coding", PACKS)
@pytest.mark.parametrize("path", [CHAT, "/v1/responses", "/v1/messages"])
async def test_compressed_bodies_are_read(path: str, coding: str) -> None:
    """As the same body in plain text is; tokens are those of the text."""
    packed = PACKS[coding](json.dumps(ASK).encode())
    answer = await call(Mock(MockOptions()), path, packed, headers={"content-encoding": coding})
    assert (answer.status, answer.body) == (200, (await call(Mock(MockOptions()), path, ASK)).body)


@pytest.mark.parametrize(
    ("coding", "body", "status"),
    [
        ("br", b"x", 415),
        ("gzip, zstd", b"x", 415),
        ("gzip", b"no gzip", 400),
        ("zstd", b"no zstd", 400),
        ("gzip", gzip.compress(b" " * (65 << 20)), 413),
        ("zstd", zstd.compress(b" " * (65 << 20)), 413),
    ],
)
async def test_what_cannot_be_unpacked_is_refused(coding: str, body: bytes, status: int) -> None:
    """Unknown codings, lies and bombs, in the dialect."""
    answer = await call(Mock(MockOptions()), CHAT, body, headers={"content-encoding": coding})
    assert answer.status == status
    assert json.loads(answer.body)["error"]["message"]
