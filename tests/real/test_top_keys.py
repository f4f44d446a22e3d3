"""`aibridge top` in a terminal: what it shows, and what its keys do."""

from __future__ import annotations

import json
import re
import socket
import threading
from functools import partial

import pytest

from aibridge_trio import __version__
from tests.support.dashboard import (
    FOOT,
    SELDOM,
    ask,
    frames,
    providers,
    watched,
)
from tests.support.pictures import a_document
from tests.support.processes import MESSAGES, PATIENCE, Bridge, Provider
from tests.support.screen import (
    BACKSPACE,
    DOWN,
    ENTER,
    ENTER_ALTERNATE,
    ESC,
    UP,
    top,
)

pytestmark = [pytest.mark.real, pytest.mark.usefixtures("healed")]


def test_the_first_frame(narrow: Bridge) -> None:
    """At once: the version, where, every provider with its breaker, the limits, the reasons, the keys."""
    with watched(narrow.admin_url) as screen:
        assert screen.lines[0].startswith(f"aibridge {__version__}  up ")
        assert narrow.admin_url in screen.lines[0]
        assert screen.lines[-1].startswith("q quit")
        assert sorted(name.strip("▸") for name in providers(screen)) == ["anthropic", "copilot", "openai"]
        for said in ("0 of 2", "rate limit 1/s a caller", "capacity", "rate_limit", "circuit_open", "0/5"):
            assert said in screen.text
        assert screen.full()
        assert screen.raw.index(ENTER_ALTERNATE) < screen.raw.index(b"PROVIDER")


def test_what_is_answered_is_counted(narrow: Bridge, provider: Provider) -> None:
    """Requests, statuses by provider, errors of the network and the busiest caller are seen as they come."""
    with watched(narrow.admin_url, size=(120, 24)) as screen:
        before = narrow.status()["requests"]["total"]
        provider.script({"status": 529}, {"status": 429}, {"fault": "reset"})
        assert [ask(narrow, f"0123456789abcdef-cn{n}", MESSAGES) for n in range(4)] == [529, 429, 502, 200]
        screen.shows(rf"^requests +[0-9.]+/s +{before + 4} ")
        line = screen.shows(r"^.anthropic +0 +[0-9.]+  (.*)").group(1)
        for said in ("429", "529", "200", "head"):
            assert re.search(rf"{said}×1 [0-9.]+/s", line)
        assert line.index("529") < line.index("200"), "an overload is named before what went well"
        screen.shows(r" …-cn3 +[0-9.]+ +1 +0 +0$")


def test_a_sick_provider_without_a_breaker(bridge: Bridge, provider: Provider) -> None:
    """No request is rejected while a provider answers 529 to all; it is named all the same."""
    with watched(bridge.admin_url) as screen:
        provider.script({"status": 529, "times": 3})
        assert [ask(bridge, "unlucky", MESSAGES) for _ in range(3)] == [529] * 3
        screen.shows(r"\A.*\n.*anthropic \d+% errors: 529 [0-9.]+/s")
        assert screen.styled("anthropic ").fg == "brown", "which is what the terminal calls yellow"


def test_turned_away_callers_come_first(narrow: Bridge, provider: Provider) -> None:
    """The second line names the reasons of rejects, fullness and who is out, the rows how many."""
    with top(narrow.admin_url) as screen:
        screen.shows("all well|turned away")
        while ask(narrow, "greedy") != 429:
            pass
        screen.shows(r"\A.*\n.*turned away.* rate_limit [0-9.]+/s")
        screen.shows(r"^rate_limit +[1-9]\d* +[0-9.]+ ")
        provider.script({"fault": "stall", "after": 2, "times": 2})
        with narrow.holding("sk-one"), narrow.holding("sk-two"):
            assert ask(narrow, "third") == 503
            screen.shows(r"\A.*\nFULL 2 of 2  turned away.* capacity [0-9.]+/s")
            screen.shows(r"^in flight +█{20} 2 of 2")
        provider.script({"status": 503, "times": 5})
        assert [ask(narrow, f"outage-{n}") for n in range(6)] == [503] * 6
        screen.shows(r"\A.*\nopenai OPEN, \d+s left")
        screen.shows(r"^▸openai +OPEN +\d+s +\d+s ")
        screen.shows(r"^\d\d:\d\d:\d\d  openai closed → open  5 failures")
        assert screen.styled("openai OPEN").fg == "red"


def test_choosing(narrow: Bridge) -> None:
    """Arrows, in both of their spellings, and j and k move the mark, and stop at both ends."""

    def shown(names: list[str]) -> bool:
        return providers(screen) == names

    with watched(narrow.admin_url, *SELDOM) as screen:
        for keys, chosen in (
            ("", 0),
            (DOWN, 1),
            ("j", 2),
            ("j", 2),
            (UP, 1),
            ("k", 0),
            ("\x1bOA", 0),
            ("\x1bOB", 1),
            (UP + "jj", 2),
        ):
            screen.press(keys)
            names = ["openai", "anthropic", "copilot"]
            names[chosen] = f"▸{names[chosen]}"
            screen.until(partial(shown, names), f"{keys!r} chooses {names}")


def test_an_arrow_may_come_in_pieces(narrow: Bridge) -> None:
    """The bytes of an arrow that come one by one, as over a slow line, are still an arrow, and no Esc."""
    with top(narrow.admin_url) as screen:
        screen.shows("▸openai")
        screen.press("/o" + ENTER)
        screen.shows("showing only o ")
        for byte in DOWN:
            screen.press(byte)
        screen.shows("▸anthropic")
        screen.shows("showing only o ")


def test_sorting(narrow: Bridge) -> None:
    """< and > move the underlined title by one and stop at both ends; r turns the order round."""

    def sorted_by(title: str) -> None:
        screen.until(lambda: (cell := screen.styled(title)) and cell.underscore, f"sorted by {title}")

    with watched(narrow.admin_url, *SELDOM) as screen:
        sorted_by("STATE")
        screen.press(">")
        sorted_by("FOR")
        assert not screen.styled("STATE").underscore
        screen.press("<<<<")
        sorted_by("PROVIDER")
        screen.until(lambda: providers(screen) == ["▸anthropic", "copilot", "openai"], "by name")
        screen.press("r")
        screen.until(lambda: providers(screen) == ["▸openai", "copilot", "anthropic"], "by name, reversed")
        screen.press(">" * 20)
        sorted_by("TOK/S")


def test_filtering(narrow: Bridge) -> None:
    """What is typed behind / narrows the rows at once, Enter keeps it, Backspace and Esc take it back."""
    with watched(narrow.admin_url, *SELDOM) as screen:
        screen.press("/aq")
        screen.shows("^show only: aq_")
        screen.until(lambda: providers(screen) == [], "no provider")
        screen.press(BACKSPACE + "n")
        screen.until(lambda: providers(screen) == ["▸anthropic"], "anthropic alone")
        screen.press(ENTER)
        screen.shows("^showing only an ")
        screen.press("?x")
        screen.shows("^showing only an ")
        screen.press(ESC)
        screen.until(lambda: len(providers(screen)) == 3, "everybody")
        screen.press("/co")
        screen.until(lambda: providers(screen) == ["▸copilot"], "copilot alone")
        screen.press(ESC)
        screen.until(lambda: len(providers(screen)) == 3, "everybody again")
        screen.shows(FOOT)


def test_help(narrow: Bridge) -> None:
    """? and h show every key, any key goes back, and that key does nothing else."""
    with watched(narrow.admin_url, *SELDOM) as screen:
        for key in "?h":
            screen.press(key)
            screen.shows(r"^any key goes back$")
            for told in ("Ctrl-Z", "force the chosen breaker open", "pause"):
                assert told in screen.text
            screen.press("q")
            screen.shows(FOOT)


def test_pausing(bridge: Bridge) -> None:
    """While paused the picture stands still though the bridge counts on; Space goes on from what is true then."""
    with watched(bridge.admin_url, "--interval", "500ms") as screen:
        screen.press("p")
        screen.shows(" PAUSED ")
        still = screen.lines[1:]
        before = bridge.status()["requests"]["total"]
        for _ in range(3):
            assert ask(bridge, "paused") == 200
        drawn = frames(screen)
        screen.until(lambda: frames(screen) >= drawn + 4, "more frames")
        assert screen.lines[1:] == still
        screen.press(" ")
        screen.shows(rf"^requests .*/s +{before + 3} ")
        assert "PAUSED" not in screen.text


def test_the_pace(bridge: Bridge) -> None:
    """+ draws more often and - less, down to half a second and up to a minute, and the first line tells."""
    with top(bridge.admin_url, "--interval", "3s") as screen:
        screen.shows(", every 3s *$")
        for keys, pace in (("+", "2s"), ("+++", "0.5s"), ("+", "0.5s"), ("-", "1s"), ("-" * 9, "1m00s")):
            screen.press(keys)
            screen.shows(rf", every {re.escape(pace)} *$")


@pytest.mark.parametrize(
    ("key", "question", "state", "mode"),
    [
        ("o", r"openai: force open and refuse its requests\?", "FORCED OPEN", "open"),
        ("c", r"openai: force closed and let its requests pass", "forced closed", "close"),
    ],
)
def test_forcing_a_breaker(narrow: Bridge, key: str, question: str, state: str, mode: str) -> None:
    """A key asks, y does it as the bridge itself says, and a with y gives the choice back."""
    with watched(narrow.admin_url, *SELDOM) as screen:
        screen.press(key)
        screen.shows(f"^{question}.*  y yes  n no")
        assert narrow.breaker()["mode"] == "auto"
        screen.press("y")
        screen.shows(f"^openai: {mode.removesuffix('e')}.*, mode {mode}$")
        screen.shows(f"^▸openai +{state} ")
        assert narrow.breaker()["mode"] == mode
        assert narrow.breaker("anthropic")["mode"] == "auto"
        screen.press("a")
        screen.shows(r"^openai: let the breaker decide again\?")
        screen.press("y")
        screen.shows("^openai: .*, mode auto$")
        assert narrow.breaker()["mode"] == "auto"


def test_no_answer_but_yes_is_yes(narrow: Bridge) -> None:
    """Whatever is pressed at the question but y: nothing is done, and the key does nothing else."""
    with watched(narrow.admin_url) as screen:
        screen.press(DOWN)
        for answer in ("n", ESC, " ", ENTER, "o", "q"):
            screen.press("o")
            screen.shows("^anthropic: force open")
            screen.press(answer)
            screen.shows(FOOT)
            assert "PAUSED" not in screen.text
        assert not [each for each in narrow.status()["events"][-1:] if each["to"] == "open"]
        screen.press("o")
        screen.shows("^anthropic: force open")
        screen.press("Y")
        screen.shows("^anthropic: open, mode open$")
        assert narrow.breaker("anthropic")["mode"] == "open"
        assert narrow.breaker("openai")["mode"] == "auto"


def test_a_paste_answers_no_question(narrow: Bridge) -> None:
    """A y that comes together with the o that asks was typed before the user read the question."""
    with watched(narrow.admin_url) as screen:
        screen.press("ahoy")
        screen.shows("^openai: let the breaker decide again")
        screen.press("n")
        screen.shows(FOOT)
        screen.press("boy")
        screen.shows("^openai: force open")
        screen.press("n")
        screen.shows(FOOT)
        assert narrow.breaker()["mode"] == "auto"


def test_what_was_confirmed_is_done(narrow: Bridge) -> None:
    """An order that was confirmed is carried out, though the dashboard is quit the moment after."""
    with watched(narrow.admin_url) as screen:
        screen.press("o")
        screen.shows("^openai: force open")
        screen.press("yq")
        assert screen.ended() == 0
    assert narrow.breaker()["mode"] == "open"


def test_the_end_is_asked_for_while_an_order_is_on_its_way() -> None:
    """It waits for the bridge and says so; asked again it gives up, tells that it did, and ends with 1."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        document = json.dumps(a_document())

        def serve() -> None:
            watcher, _ = listener.accept()
            watcher.recv(65536)
            head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n"
            watcher.sendall(f"{head}event: status\ndata: {document}\n\n".encode())
            deaf, _ = listener.accept()
            with watcher, deaf:
                over.wait(PATIENCE)

        over = threading.Event()
        thread = threading.Thread(target=serve)
        thread.start()
        with watched(f"http://127.0.0.1:{listener.getsockname()[1]}") as screen:
            screen.press("o")
            screen.shows("^openai: force open")
            screen.press("yq")
            screen.shows("^waiting for the bridge; the same again gives up")
            screen.press("q")
            assert screen.ended() == 1
            assert "the last order was not confirmed" in screen.text
            assert screen.given_back()
        over.set()
        thread.join()


def test_an_order_that_is_refused(bridge: Bridge) -> None:
    """The last line tells why an order was not carried out, and the dashboard goes on."""
    with watched(bridge.admin_url) as screen:
        screen.press("o")
        screen.shows("^openai: force open")
        screen.press("y")
        screen.shows(r"^openai: not done, circuit breakers are off; .*$")
        screen.press("j")
        screen.shows(FOOT)


def test_ten_kilobytes_at_once(bridge: Bridge) -> None:
    """However much is pasted, what comes behind it is read."""
    with watched(bridge.admin_url) as screen:
        screen.press("/" + "xé\x1b[31m\t" * 1500)
        screen.shows(f"^show only: {'xé' * 20}_")
        screen.press(ESC)
        screen.shows(FOOT)
        screen.press("q")
        assert screen.ended() == 0
