"""What keys do: bound as the help says, valid whatever is pressed, and no order without a yes."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from aibridge_trio.top.keyboard import KEYS
from aibridge_trio.top.sort_order import SORT_KEYS
from aibridge_trio.top.view import PACES, Order, View, fits, marked, press, rows
from tests.support.pictures import Said, a_picture, breaking

SHOWN = ("openai", "anthropic", "copilot")
# How the help calls keys that have another name here.
NAMES = {"↑": "up", "↓": "down", "Space": " ", "Ctrl-C": "interrupt"}
# The terminal makes a signal of it: it never comes as a key.
SIGNALS = {"Ctrl-Z"}
# Without a line in the help: the same keys without Shift, and what the filter's line says.
ALIASES = {"=": "+", "escape": "/"}
HELPED = [NAMES.get(key, key) for each in KEYS for key in each.keys.split(", ") if key not in SIGNALS]
EVERY_KEY = [
    *map(chr, range(0x20, 0x7F)),
    *("up", "down", "left", "right", "enter", "backspace", "escape", "interrupt", "é", "日"),
]
# A view in which every key would change something.
MIDDLE = View(chosen="anthropic", sort="FAILS", filter="o", interval=2.0)


def pressed(view: View, *keys: str, shown: tuple[str, ...] = SHOWN, width: int = 80) -> View:
    """The view after these keys, none of which may give an order."""
    for key in keys:
        view, order = press(view, key, shown, width)
        assert order is None
    return view


# The help and the hands


@pytest.mark.parametrize("key", HELPED)
def test_every_key_of_the_help_does_something(key: str) -> None:
    """What the help names is bound."""
    assert pressed(MIDDLE, key) != MIDDLE


def test_every_key_that_does_something_is_in_the_help() -> None:
    """What is bound is named in the help, or is another way to press what is."""
    bound = {key for key in EVERY_KEY if pressed(MIDDLE, key) != MIDDLE}
    assert bound == {*HELPED, *ALIASES}
    assert {ALIASES[key] for key in ALIASES} <= set(HELPED)


@pytest.mark.parametrize(
    ("key", "changed"),
    [
        ("q", {"end": "quit"}),
        ("interrupt", {"end": "interrupted"}),
        ("?", {"help": True}),
        ("h", {"help": True}),
        ("p", {"paused": True}),
        (" ", {"paused": True}),
        ("up", {"chosen": "openai"}),
        ("k", {"chosen": "openai"}),
        ("down", {"chosen": "copilot"}),
        ("j", {"chosen": "copilot"}),
        ("<", {"sort": "LEFT"}),
        (">", {"sort": "PROBE"}),
        ("r", {"reverse": True}),
        ("e", {"refused": True}),
        ("/", {"typing": True, "filter": ""}),
        ("escape", {"filter": ""}),
        ("+", {"interval": 1.0}),
        ("=", {"interval": 1.0}),
        ("-", {"interval": 5.0}),
        ("o", {"asking": Order("open", "anthropic")}),
        ("c", {"asking": Order("close", "anthropic")}),
        ("a", {"asking": Order("auto", "anthropic")}),
    ],
)
def test_a_key_does_its_own_thing_and_nothing_else(key: str, changed: dict[str, object]) -> None:
    """Each key changes what it is for, and leaves all else."""
    assert pressed(MIDDLE, key) == replace(MIDDLE, **changed)  # type: ignore[arg-type]


@pytest.mark.parametrize("key", ["p", " ", "r"])
def test_what_is_switched_on_is_switched_off(key: str) -> None:
    """Pause and the order's direction go back with the same key."""
    assert pressed(MIDDLE, key, key) == MIDDLE


@pytest.mark.parametrize("key", EVERY_KEY[:-11])
def test_any_key_leaves_the_help_and_does_nothing_else(key: str) -> None:
    """The key that leaves the help is not one that also does something."""
    assert pressed(replace(MIDDLE, help=True), key) == MIDDLE


@pytest.mark.parametrize("state", [{}, {"help": True}, {"typing": True}, {"asking": Order("open", "openai")}])
def test_an_interrupt_always_ends(state: dict[str, object]) -> None:
    """Ctrl-C ends, whatever is going on, and carries out nothing."""
    view, order = press(replace(MIDDLE, **state), "interrupt", SHOWN, 80)  # type: ignore[arg-type]
    assert (view.end, order) == ("interrupted", None)


@pytest.mark.parametrize("key", EVERY_KEY)
def test_a_notice_stays_until_a_key(key: str) -> None:
    """Any key takes a notice away, and then does what it does without one."""
    if key != "interrupt":
        assert pressed(replace(MIDDLE, notice="done"), key) == pressed(MIDDLE, key)


# Choosing


def test_choosing_goes_up_and_down_and_stops_at_the_ends() -> None:
    """The choice moves by one row and never leaves the rows."""
    view = View()
    path = []
    for key in ("down", "down", "down", "up", "up", "up"):
        view = pressed(view, key)
        path.append(view.chosen)
    assert path == ["anthropic", "copilot", "copilot", "anthropic", "openai", "openai"]


def test_without_a_choice_the_first_row_is_meant() -> None:
    """Without a choice, or with one that is not shown, the first row is selected."""
    assert marked(View(), SHOWN) == marked(View(chosen="gone"), SHOWN) == "openai"
    assert marked(View(chosen="copilot"), SHOWN) == "copilot"
    assert marked(View(chosen="copilot"), ()) is None
    assert pressed(View(chosen="gone"), "down").chosen == "anthropic"


def test_the_choice_is_of_a_provider_and_not_of_a_row() -> None:
    """When rows change places, the same provider stays chosen."""
    view = pressed(View(), "down")
    assert pressed(view, "up", shown=("copilot", "openai", "anthropic")).chosen == "openai"


def test_without_a_provider_shown_none_is_chosen_or_overridden() -> None:
    """On no rows, keys that need one do nothing; those that would order say why."""
    for key in ("up", "down", "j", "k"):
        assert pressed(View(), key, shown=()) == View()
    for key in ("o", "c", "a"):
        assert pressed(View(), key, shown=()) == View(notice="no provider is shown")


# Orders


@pytest.mark.parametrize(("key", "mode"), [("o", "open"), ("c", "close"), ("a", "auto")])
@pytest.mark.parametrize("yes", ["y", "Y"])
def test_a_yes_gives_the_order_that_was_asked_for(key: str, mode: str, yes: str) -> None:
    """The order names the provider that was chosen when it was asked, whatever is shown by now."""
    asking = pressed(View(), "down", key)
    assert asking.asking == Order(mode, "anthropic")
    view, order = press(asking, yes, ("copilot", "openai"), 80)
    assert order == Order(mode, "anthropic")
    assert view == replace(asking, asking=None)


@pytest.mark.parametrize("key", [key for key in EVERY_KEY if key not in {"y", "Y", "interrupt"}])
def test_anything_but_a_yes_is_a_no(key: str) -> None:
    """Any other key takes the question back, gives no order and does nothing else."""
    assert pressed(replace(MIDDLE, asking=Order("open", "openai")), key) == MIDDLE


@pytest.mark.parametrize("key", ["y", "Y"])
def test_a_yes_without_a_question_does_nothing(key: str) -> None:
    """Without a question there is no order."""
    assert pressed(MIDDLE, key) == MIDDLE


# The filter


def test_a_filter_is_typed_with_every_key() -> None:
    """While a filter is typed, keys are letters: q quits nothing, ? opens no help, a space is a space."""
    view = pressed(View(), "/", *"q? o/<é日+")
    assert view == View(typing=True, filter="q? o/<é日+")


def test_a_filter_is_corrected() -> None:
    """Backspace takes the last letter, and of nothing nothing."""
    view = pressed(View(), "/", *"abc", "backspace", "backspace")
    assert view.filter == "a"
    assert pressed(view, "backspace", "backspace").filter == ""


def test_enter_keeps_a_filter_and_esc_clears_it() -> None:
    """Enter ends the typing with the filter, Esc without; later Esc clears it too, and / begins anew."""
    typed = pressed(View(), "/", *"abc")
    kept = pressed(typed, "enter")
    assert kept == View(filter="abc")
    assert pressed(typed, "escape") == pressed(kept, "escape") == View()
    assert pressed(kept, "/") == View(typing=True)


def test_arrows_are_no_letters() -> None:
    """Keys without a character write nothing into a filter."""
    typed = pressed(View(), "/", *"abc")
    assert pressed(typed, "up", "down", "left", "right") == typed


def test_a_filter_is_bounded() -> None:
    """A key that is held down fills the line and not the memory."""
    assert pressed(View(), "/", *"x" * 1000).filter == "x" * 40


def test_a_filter_finds_parts_in_any_case() -> None:
    """A text fits if the filter is somewhere in it; an empty filter fits all."""
    assert fits(View(filter="THR"), "anthropic")
    assert fits(View(filter="op"), "x", "OpenAI")
    assert not fits(View(filter="z"), "anthropic", "openai")
    assert fits(View(), "")


# The pace


def test_paces_go_step_by_step_and_stop_at_the_ends() -> None:
    """The pace goes through all paces, one a key, and not beyond them."""
    slower = [View(interval=PACES[0])]
    for _ in PACES:
        slower.append(pressed(slower[-1], "-"))
    assert [view.interval for view in slower] == [*PACES, PACES[-1]]
    faster = [slower[-1]]
    for _ in PACES:
        faster.append(pressed(faster[-1], "+"))
    assert [view.interval for view in faster] == [*reversed(PACES), PACES[0]]


@pytest.mark.parametrize(
    ("given_", "key", "expected"),
    [(0.7, "+", 0.5), (0.7, "-", 1.0), (0.1, "+", 0.1), (0.1, "-", 0.5), (90.0, "-", 90.0), (90.0, "+", 60.0)],
)
def test_a_pace_of_ones_own_goes_to_the_next(given_: float, key: str, expected: float) -> None:
    """From an interval that is no pace the keys go to the next one in their direction, and never in the other."""
    assert pressed(View(interval=given_), key).interval == expected


# The rows


def shown(view: View, *changes: tuple[str, Said]) -> list[str]:
    """The names from top to bottom."""
    return [
        row.provider.name for row in rows(view, a_picture(*(breaking(name, **each) for name, each in changes)))
    ]


def test_a_filter_leaves_the_rows_it_names() -> None:
    """Only providers with the filter in their names are rows."""
    assert shown(View(filter="OP")) == ["openai", "anthropic", "copilot"]
    assert shown(View(filter="pil")) == ["copilot"]
    assert shown(View(filter="zz")) == []


@pytest.mark.parametrize("key", ["<", ">"])
def test_a_screen_that_has_become_narrow_can_be_sorted(key: str) -> None:
    """From a column that is not there any more the keys go back into the table."""
    assert pressed(View(sort="OUT/S"), key, width=80).sort == "TOK/S"


class Hands(RuleBasedStateMachine):
    """Any keys, while providers come and go."""

    def __init__(self) -> None:
        super().__init__()
        self.view = View(interval=0.7)
        self.shown: tuple[str, ...] = SHOWN
        self.width = 80

    @rule(key=st.sampled_from(EVERY_KEY) | st.sampled_from([*HELPED, "y"]))
    def press(self, key: str) -> None:
        """Press a key: only a yes to a question gives an order, and exactly the one asked for."""
        before = self.view
        self.view, order = press(before, key, self.shown, self.width)
        assert order == (before.asking if key in {"y", "Y"} else None)
        if self.view.asking and self.view.asking != before.asking:
            assert self.view.asking.provider == marked(before, self.shown)
        if key == "interrupt":
            assert self.view.end == "interrupted"
        elif self.view.end != before.end:
            assert (key, self.view.end) == ("q", "quit")
            assert not any((before.typing, before.help, before.asking))

    @rule(width=st.integers(1, 250))
    def resize(self, width: int) -> None:
        """Give it another size."""
        self.width = width

    @rule(shown=st.permutations(SHOWN), number=st.integers(0, 3))
    def change(self, shown: list[str], number: int) -> None:
        """Show other rows."""
        self.shown = tuple(shown[:number])

    @invariant()
    def it_is_valid(self) -> None:
        """The view can be drawn, and does what it says."""
        view = self.view
        assert view.chosen is None or view.chosen in SHOWN
        assert view.interval in {0.7, *PACES}
        assert view.sort in SORT_KEYS
        assert len(view.filter) <= 40
        assert view.filter.isprintable()
        assert sum(map(bool, (view.typing, view.help, view.asking))) <= 1
        assert view.asking is None or view.asking.mode in {"open", "close", "auto"}


TestHands = Hands.TestCase
