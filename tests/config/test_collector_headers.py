"""Headers for a collector of traces."""

from __future__ import annotations

import pytest

from aibridge_trio.config.collector_headers import COLLECTOR_HEADERS, collector_headers
from aibridge_trio.config.unit import InvalidValue


def test_headers_are_decoded() -> None:
    """Names in lower case, values percent-decoded; a value may hold `=`."""
    value = COLLECTOR_HEADERS.parse("Authorization=Basic%20dTpw, x-scope=a%2Cb,x-key=q==\n")
    assert collector_headers(value) == (("authorization", "Basic dTpw"), ("x-scope", "a,b"), ("x-key", "q=="))
    assert COLLECTOR_HEADERS.show(value) == "***"


@pytest.mark.parametrize(
    "text",
    [
        *("", "hunter2", "=hunter2", "a b=hunter2", "a=", "a=hunter2,", "a=hunter2%0d%0aevil: 1", "a=hunter2%00"),
        *("a=hunter2%ff", "host=hunter2", "Content-Length=7", "transfer-encoding=chunked"),
    ],
)
def test_what_is_no_header_is_refused(text: str) -> None:
    """And not quoted: it may be a credential."""
    with pytest.raises(InvalidValue) as caught:
        COLLECTOR_HEADERS.parse(text)
    assert "hunter2" not in str(caught.value)
