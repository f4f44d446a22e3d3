"""Names the callers that are known, by token or by certificate, before a request costs a slot.

A token is taken from `X-AIBridge-Token`; without that header, from where a key goes: `Authorization: Bearer`,
`X-Api-Key`, `Api-Key`, whichever has one. It is removed from the request at once, so that nothing behind this file
can send or show it. What is left in the headers for keys is the caller's own key.
"""

from __future__ import annotations

import hmac
import math
from bisect import bisect_right
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from aibridge_trio.config.caller_tokens import BEGINNING, contains_token, looks_mistyped, token_hash
from aibridge_trio.config.known_callers import KnownCaller, KnownCallers
from aibridge_trio.config.settings import Settings
from aibridge_trio.core.caller import Caller
from aibridge_trio.core.limits.failure_limit import FailureLimit
from aibridge_trio.errors import BadRequest, UnknownCaller, UnknownCallerLimited
from aibridge_trio.gateway.caller_identity import CREDENTIAL_HEADERS, CallerIdentifier, credentials
from aibridge_trio.gateway.request_events import Record
from aibridge_trio.http import headers as h
from aibridge_trio.http.message import Request

_TOKEN = frozenset({h.TOKEN})
# Failures of one address (IPv6 by /64) that are answered at once, seconds between later ones, and how many
# addresses are remembered (200 bytes each).
_BURST, _INTERVAL, _ADDRESSES = 10, 1.0, 10_000


@dataclass(frozen=True, slots=True)
class _Entry:
    """A known caller as its requests have it, without an own key; `ends` is when it expires (wall clock)."""

    caller: Caller
    ends: float
    expires: date | None


class KnownCallerTable:
    """Known callers by the hash of a token and by the name in a certificate."""

    def __init__(self, known: KnownCallers, key_of: Callable[[str], bytes]) -> None:
        self._by_token: dict[str, tuple[str, _Entry]] = {}
        self._by_certificate: dict[str, _Entry] = {}
        for each in known.callers:
            entry = _entry(each, key_of(each.name))
            self._by_token |= {token: (token, entry) for token in each.token_sha256}
            if each.certificate is not None:
                self._by_certificate[each.certificate] = entry
        entries = (*(entry for _, entry in self._by_token.values()), *self._by_certificate.values())
        self._ends = sorted({entry.ends for entry in entries})

    def by_token(self, token: bytes) -> _Entry | None:
        """Return the caller that a token names, None without one.

        What a look-up's time could tell is about the hash, from which no token follows; the hashes themselves are
        compared in constant time.
        """
        hashed = token_hash(token)
        listed, entry = self._by_token.get(hashed, ("", None))
        return entry if hmac.compare_digest(hashed, listed) else None

    def next_end(self, now: float) -> float:
        """Return when the next caller expires (wall clock, seconds); infinity if none does."""
        later = bisect_right(self._ends, now)
        return self._ends[later] if later < len(self._ends) else math.inf

    def by_certificate(self, names: Collection[str]) -> _Entry | None:
        """Return the caller that the first known name in a certificate stands for, None without one."""
        return next((self._by_certificate[name] for name in names if name in self._by_certificate), None)


class Authenticator:
    """Returns the known caller of each request, or rejects the request; without known callers it does nothing.

    is_open     Whether a request is one that needs no caller: a ping.
    clock       Monotonic, for the limit on failures.
    wall_clock  Seconds since 1970, for what expires.
    """

    def __init__(
        self,
        callers: CallerIdentifier,
        settings: Settings,
        is_open: Callable[[Request], bool],
        clock: Callable[[], float],
        wall_clock: Callable[[], float],
    ) -> None:
        self._callers = callers
        self._is_open = is_open
        self._clock = clock
        self._wall_clock = wall_clock
        self._failures = FailureLimit(burst=_BURST, interval=_INTERVAL, capacity=_ADDRESSES)
        self.apply(settings, self.table(settings))

    def table(self, settings: Settings) -> KnownCallerTable | None:
        """Return the table of the callers that settings name, None without any; can be called in a thread."""
        known = settings.known_callers
        return KnownCallerTable(known, self._callers.key_of_name) if known else None

    def apply(self, settings: Settings, table: KnownCallerTable | None) -> None:
        """Use other settings and their `table` for the requests to come; those that run go on."""
        self._allow_anonymous = settings.allow_anonymous
        self._table = table

    def settled_until(self) -> float:
        """Return until when `check` returns what it does now, unless there is a reload (wall clock, seconds)."""
        return math.inf if self._table is None else self._table.next_end(self._wall_clock())

    def check(self, request: Request, record: Record) -> Caller | None:
        """Return the known caller of a request, None for one that is identified as without known callers.

        Removes every token from the request's headers. Raises UnknownCaller, and BadRequest for an empty or
        repeated header, and for a token in the URL, which would go up, and into logs on the way.
        """
        given = request.header_values(h.TOKEN)
        if given:
            request.remove(_TOKEN)  # in every mode: it is for a bridge only
        if self._table is None:
            return None
        token = _only(given)
        entry, withheld, looked_like = self._find(self._table, request, token)
        if stray := _stray(request):
            request.remove(stray)
        in_url = contains_token(request.path) or contains_token(request.query)
        now = self._wall_clock()
        if entry and now < entry.ends:
            if in_url:
                record.caller = entry.caller
                raise BadRequest(
                    "a token in the URL is seen by many: send it in a header, and replace the one that was in it"
                )
            if withheld:
                request.remove(withheld)
            own = next(credentials(request), None)
            return entry.caller if own is None else self._callers.with_own_key(entry.caller, own[1])
        if self._allow_anonymous and token is None and not (entry or withheld or in_url):
            return None
        by_address = self._callers.by_address(request)
        if self._is_open(request):
            return by_address
        record.caller = by_address
        raise self._reject(entry, looked_like, by_address)

    def _find(
        self, table: KnownCallerTable, request: Request, token: bytes | None
    ) -> tuple[_Entry | None, frozenset[bytes], bytes | None]:
        """Return the caller that a request names, the headers that hold tokens, and what was sent as a token."""
        found: list[_Entry] = []
        withheld: set[bytes] = set()
        sent = token
        for name, credential in credentials(request, any_scheme=True):
            entry = table.by_token(credential)
            if entry or credential == token or contains_token(credential):
                withheld.add(name)
            if entry:
                found.append(entry)
            sent = sent or credential
        if token is not None:
            named = table.by_token(token)
            return named, frozenset(withheld), sent
        if not found and not withheld and (named := table.by_certificate(request.certificate)):
            return named, frozenset(), sent
        if len(found) > 1:
            now = self._wall_clock()
            found.sort(key=lambda entry: entry.ends <= now)  # one that has not expired comes first
        return found[0] if found else None, frozenset(withheld), sent

    def _reject(self, entry: _Entry | None, sent: bytes | None, address: Caller) -> UnknownCaller:
        if wait := self._failures.charge(address.key, self._clock()):
            return UnknownCallerLimited(wait)
        if entry:
            return UnknownCaller(f"{entry.caller.name} was known here through {entry.expires}, UTC", sent=True)
        if sent is None:
            where = "where the API key goes, or in X-AIBridge-Token"
            return UnknownCaller(f"this bridge serves known callers only: send your token {where}", sent=False)
        if looks_mistyped(sent):
            return UnknownCaller("this is no token: it is incomplete or mistyped", sent=True)
        return UnknownCaller("this token is not known here: it was revoked, or is not this bridge's", sent=True)


def _entry(known: KnownCaller, key: bytes) -> _Entry:
    caller = Caller(
        key, known.name, authenticated=False, name=known.name, class_name=known.class_name, terms=known.terms
    )
    return _Entry(caller, _end_of(known.expires), known.expires)


def _end_of(day: date | None) -> float:
    """Return when a day ends, UTC, in seconds since 1970; infinity for none, and for the calendar's last."""
    if day is None or day == date.max:
        return math.inf
    following = day + timedelta(days=1)
    return datetime(following.year, following.month, following.day, tzinfo=UTC).timestamp()


def _stray(request: Request) -> frozenset[bytes]:
    """Return the headers, other than those for keys, in which something of a token's form is."""
    suspects = [header for header in request.headers if BEGINNING in header[1]]  # no call for most of them
    return frozenset(name for name, value in suspects if name not in CREDENTIAL_HEADERS and contains_token(value))


def _only(values: list[bytes]) -> bytes | None:
    if len(values) > 1:
        raise BadRequest("repeated credential header: X-AIBridge-Token")
    if values and not values[0].strip():
        raise BadRequest("empty credential header: X-AIBridge-Token")
    return values[0].strip() if values else None
