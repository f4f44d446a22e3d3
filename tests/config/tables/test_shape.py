"""Documents by their shapes."""

from __future__ import annotations

import pytest

from aibridge_trio.config.provider_tables import BUILT_IN
from aibridge_trio.config.tables import shape
from tests.config.tables.support import document, error_of


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("classes = 1", "1:1: [classes]: an integer is given where a table is expected; write [classes.NAME]"),
        (
            "[classes]\npeople = 1",
            "2:1: [classes.people]: an integer is given where a table is expected; write a table",
        ),
        (
            "[classes.People]",
            (
                '1:10: [classes.People]: "People" is not a class\'s name: lower-case letters, digits and -, at '
                "most 32, from a letter on; none and other are taken; write e.g. [classes.people]"
            ),
        ),
        (
            "[classes.people]\nmax_concurency = 8",
            "2:1: [classes.people] max_concurency: unknown key; did you mean max_concurrency?",
        ),
        (
            "[classes.people]\nmax_connections = 8",
            "2:1: [classes.people] max_connections: unknown key; it is an option: write it above the first table",
        ),
        ("[classes.people]\nrpm = 8", "2:1: [classes.people] rpm: unknown key; did you mean rate_limit?"),
        ("[classes.people]\nxyzzy = 8", "2:1: [classes.people] xyzzy: unknown key; remove it"),
        (
            "[classes.people]\nmax_concurrency = -1",
            "2:1: [classes.people] max_concurrency: -1 is less than 0; write e.g. max_concurrency = 8",
        ),
        (
            '[classes.people]\npriority = "lo"',
            '2:1: [classes.people] priority: "lo" is none of normal, low; write e.g. priority = "low"',
        ),
        (
            "[classes.people]\nbudget = { tokens = 5 }",
            '2:1: [classes.people] budget: per is missing; add e.g. per = "day"',
        ),
        (
            '[classes.people]\nbudget = { tokens = 5, per = "year" }',
            '2:24: [classes.people] budget.per: "year" is none of day, week, month; write e.g. per = "day"',
        ),
        (
            "[classes.people]\nmodels = []",
            '2:1: [classes.people] models: the array is empty; write e.g. models = ["claude-*"]',
        ),
    ],
)
def test_an_error_names_line_column_table_and_key(text: str, line: str) -> None:
    """With the remedy."""
    assert error_of(lambda: shape.classes(document(text))) == f"a.toml:{line}"


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("[callers]", "1:2: [callers]: a table is given where an array is expected; write [[callers]]"),
        ("callers = [1]", "1:12: [[callers]]: an integer is given where a table is expected; write a table"),
        ('[[callers]]\nname = "a"\n[[callers]]', '3:3: [[callers]]: name is missing; add e.g. name = "dev-07"'),
        (
            '[[callers]]\nname = "a"\nexpires = 2027-03-31T00:00:00Z',
            (
                "3:1: [[callers]] expires: a date or a time is not a date, such as 2027-03-31; "
                "write e.g. expires = 2027-03-31"
            ),
        ),
    ],
)
def test_callers_are_an_array_of_tables(text: str, line: str) -> None:
    """Each with a name."""
    assert error_of(lambda: shape.callers(document(text))) == f"a.toml:{line}"


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("[providers.azure]", '1:12: [providers.azure]: dialect is missing; add e.g. dialect = "openai"'),
        (
            '[providers.openai]\nkey_file = "/a"\nkey_env = "A"',
            "3:1: [providers.openai] key_env: key_file is given too; keep one of them",
        ),
        (
            '[providers.openai]\nkey = "sk-canary"',
            "2:1: [providers.openai] key: a key does not belong in this file; write key_file or key_env",
        ),
        (
            "[providers.openai]\nkeys = [{ weight = 2 }]",
            "2:9: [providers.openai] keys[0]: there is neither file nor env; add one of them",
        ),
        (
            '[providers.openai]\nkeys = [{ file = "/a", env = "A" }]',
            "2:24: [providers.openai] keys[0].env: file is given too; keep one of them",
        ),
        (
            "[providers.openai]\nkeys = []",
            (
                "2:1: [providers.openai] keys: the array is empty; "
                'write e.g. keys = [{ file = "/etc/aibridge/file" }]'
            ),
        ),
        (
            '[providers.openai]\nbase_url = "ftp://x"',
            (
                '2:1: [providers.openai] base_url: "ftp://x" is not a URL with http:// or https://; '
                'write e.g. base_url = "https://api.example.com/v1"'
            ),
        ),
    ],
)
def test_a_provider_has_one_source_of_keys(text: str, line: str) -> None:
    """And the key itself is never quoted."""
    assert error_of(lambda: shape.providers(document(text), BUILT_IN)) == f"a.toml:{line}"


def test_there_are_not_too_many() -> None:
    """Providers are labels of metrics."""
    text = "".join(f"[classes.c{number}]\n" for number in range(65))
    assert error_of(lambda: shape.classes(document(text))).startswith(
        "a.toml:1:2: [classes]: there are more than 64"
    )


def test_values_are_read() -> None:
    """As their kinds do."""
    [values] = shape.routes(document('[[routes]]\nmodel = "qwen*"\nproviders = ["vllm", "azure"]'))
    assert values == {"model": "qwen*", "providers": ("vllm", "azure")}
