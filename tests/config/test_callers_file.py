"""Edits of a file of callers."""

from __future__ import annotations

import tomllib
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aibridge_trio.config import callers_file as edit
from aibridge_trio.errors import UsageError

ONE, TWO, THREE = "1" * 64, "2" * 64, "3" * 64
FILE = f"""\
# Our callers.

[classes.people]  # everyone with a desk
rate_limit = 10

# Seven.
[[callers]]
name = "dev-07"
class = "people"
token_sha256 = "{ONE}"
expires = 2027-03-31
[callers.budget]
tokens = 5
per = "month"

# The CI.
[[callers]]
name = "ci"  # all of it
token_sha256 = [
  "{TWO}",  # the runners'
  "{THREE}",
]

# The end.
[[callers]]
name = "laptop"
certificate = "laptop.example"
"""


def test_an_entry() -> None:
    """All that the command line says, and nothing else."""
    written = edit.entry("dev-07", ONE, "people", date(2027, 3, 31))
    assert tomllib.loads(written) == {
        "callers": [{"name": "dev-07", "class": "people", "token_sha256": ONE, "expires": date(2027, 3, 31)}]
    }
    assert edit.entry("x", ONE, None, None) == f'[[callers]]\nname = "x"\ntoken_sha256 = "{ONE}"\n'


def test_a_caller_is_added_at_the_end() -> None:
    """What is there stays, byte for byte."""
    written = edit.entry("new", ONE, None, None)
    assert edit.add_caller(FILE, written) == f"{FILE}\n{written}"
    assert edit.add_caller("", written) == written
    assert edit.add_caller("# none yet", written) == f"# none yet\n\n{written}"
    assert edit.add_caller("callers = []\n", written) == written


def test_a_token_is_added_to_a_string_an_array_or_none() -> None:
    """Comments in the array stay."""
    new = "f" * 64
    assert f'token_sha256 = ["{new}", "{ONE}"]\nexpires' in edit.add_token(FILE, "dev-07", new)
    assert f'token_sha256 = ["{new}", \n  "{TWO}",  # the runners\'' in edit.add_token(FILE, "ci", new)
    assert f'[[callers]]\ntoken_sha256 = ["{new}"]\nname = "laptop"' in edit.add_token(FILE, "laptop", new)


def test_a_caller_is_removed_with_its_tables_and_not_the_next_ones_comment() -> None:
    """The file reads as if it had never been there."""
    after = edit.remove_caller(FILE, "dev-07")
    assert "dev-07" not in after
    assert "budget" not in after
    assert '# The CI.\n[[callers]]\nname = "ci"' in after
    assert edit.remove_caller(FILE, "laptop").endswith("# The end.\n")


def test_the_last_caller_leaves_an_empty_list() -> None:
    """Without it the bridge would serve everyone."""
    text = edit.entry("x", ONE, None, None)
    assert edit.remove_caller(text, "x") == "callers = []\n"
    kept = edit.remove_caller("[classes.people]\nrate_limit = 1\n\n" + text, "x")
    assert tomllib.loads(kept) == {"callers": [], "classes": {"people": {"rate_limit": 1}}}


def test_one_of_several_tokens_is_removed() -> None:
    """The last of them takes the entry with it, unless a certificate names the caller, too."""
    after = edit.remove_token(FILE, "ci", TWO)
    assert tomllib.loads(after)["callers"][1]["token_sha256"] == [THREE]
    assert 'name = "ci"' not in edit.remove_token(after, "ci", THREE)
    both = f'[[callers]]\nname = "x"\ntoken_sha256 = "{ONE}"\ncertificate = "x"\n'
    assert edit.remove_token(both, "x", ONE) == '[[callers]]\nname = "x"\ncertificate = "x"\n'


@pytest.mark.parametrize(
    "text",
    [
        f'callers = [{{name = "x", token_sha256 = "{ONE}"}}]\n',
        f'[["callers"]]\nname = "x"\ntoken_sha256 = "{ONE}"\n',
        f'[[callers]]\nname = "x"\n"token_sha256" = "{ONE}"\n',
        f'note = """\n[[callers]]\n"""\n[[callers]]\nname = "x"\ntoken_sha256 = "{ONE}"\n',
    ],
)
def test_a_form_that_cannot_be_edited_is_left_alone(text: str) -> None:
    """An edit that went wrong would lock callers out, or let them in."""
    with pytest.raises(UsageError, match="by hand"):
        edit.add_token(text, "x", TWO)


names = st.sampled_from(["a", "b", "c"])
tokens = st.sampled_from([ONE, TWO, THREE])
steps = st.lists(st.tuples(st.sampled_from(["new", "add", "revoke", "remove"]), names, tokens), max_size=12)


@given(steps)
def test_any_edits_one_after_another(edits: list[tuple[str, str, str]]) -> None:
    """A model of names and tokens agrees with the file after each edit."""
    text, model = "# ours\n", dict[str, list[str]]()
    for what, name, token in edits:
        if what == "new" and name not in model:
            text = edit.add_caller(text, edit.entry(name, token, None, None))
            model[name] = [token]
        elif what == "add" and token not in model.get(name, [token]):
            text = edit.add_token(text, name, token)
            model[name].insert(0, token)
        elif what == "revoke" and token in model.get(name, []):
            text = edit.remove_token(text, name, token)
            model[name].remove(token)
        elif what == "remove" and name in model:
            text = edit.remove_caller(text, name)
            del model[name]
        model = {each: held for each, held in model.items() if held}
        document = tomllib.loads(text)
        assert {each["name"]: edit.hashes(each) for each in document.get("callers", [])} == model
        assert text.startswith(("# ours\n", "callers = []\n\n# ours\n"))
