"""Reads the configuration again while the bridge runs: validates it first, then applies it at once, or nothing.

Files are read in a thread, because a slow disk must not hold up requests. One that hangs ends the reload, and
keeps one thread, however often a reload is wanted. Applying is synchronous: no request sees half of a change.
"""

from __future__ import annotations

import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import trio

from aibridge_trio.config.differences import Differences, differences, fingerprints
from aibridge_trio.config.fixed_options import kept
from aibridge_trio.config.settings import Settings
from aibridge_trio.errors import UsageError
from aibridge_trio.events import Publish, Reloaded
from aibridge_trio.gateway.lifecycle import Lifecycle
from aibridge_trio.net.tls_contexts import expires_at, server_context
from aibridge_trio.upstream.client import TransportFactory
from aibridge_trio.upstream.transport import Transports

# How long files may be read, and how long a reload waits for the one before it (seconds). `aibridge reload` waits
# longer.
LONGEST_READ = 25.0


@dataclass(frozen=True)
class Prepared:
    """A valid configuration, with all that is read from files.

    `context` is for callers' connections, with a certificate that ends at `certificate_ends` (Unix time);
    `transports` makes those to providers, None if it stays as it is.
    `found` is what differs from the configuration before. `tables` is what `build` has made of the settings.
    """

    settings: Settings
    fingerprints: dict[str, str] = field(default_factory=dict)
    found: Differences = field(default_factory=Differences)
    tables: Any = None
    context: ssl.SSLContext | None = None
    certificate_ends: float | None = None
    transports: TransportFactory | None = None

    @classmethod
    def of(cls, settings: Settings) -> Prepared:
        """Read the files that settings name. Raises UsageError."""
        certificate, key = settings.tls_cert, settings.tls_key
        try:
            context = server_context(certificate, key, settings.tls_client_ca) if certificate and key else None
            ends = expires_at(certificate) if certificate else None
        except OSError as error:  # replaced since it was validated
            raise UsageError(f"--tls-cert: the certificate {error}; write it again") from None
        return cls(settings, fingerprints(settings), context=context, certificate_ends=ends)


class Reloader:
    """Rereads the configuration with `read`, which raises UsageError, and passes it to `apply`.

    `settings` are those of the start. `build` makes of settings what takes long, in the thread: of 100,000 callers
    it would hold up requests for a second. `agree` is called before they are applied; it returns why they cannot
    be, or None. `reopen` opens the log file again, whatever becomes of the reload. Several reloads follow one
    another.
    """

    def __init__(
        self,
        read: Callable[[], Settings],
        settings: Settings,
        *,
        transports: Callable[[Settings], TransportFactory],
        build: Callable[[Settings], Any] = lambda _: None,
        apply: Callable[[Prepared], None],
        lifecycle: Lifecycle,
        publish: Publish,
        agree: Callable[[Prepared], Awaitable[str | None]] | None = None,
        reopen: Callable[[], None] = lambda: None,
    ) -> None:
        self._reopen = reopen
        self._read = read
        self._agree = agree
        self._transports = transports
        self._build = build
        self._apply = apply
        self._lifecycle = lifecycle
        self._publish = publish
        self._current = Prepared(settings, fingerprints(settings))
        self._one_at_a_time = trio.Lock()
        # A thread that hangs keeps its token, so the next reload does not begin another one.
        self._in_thread = partial(trio.to_thread.run_sync, abandon_on_cancel=True, limiter=trio.CapacityLimiter(1))
        # Called before files are read and when all is applied.
        self.began: Callable[[], None] = lambda: None
        self.ended: Callable[[], None] = lambda: None

    async def reload(self, by: str) -> Reloaded:
        """Read and apply; return what has changed, or why nothing has. `by` is who wanted it."""
        self._reopen()
        async with self._one_at_a_time:
            self.began()
            try:
                result = await self._reload(by)
            finally:
                self.ended()
        self._publish(result)
        return result

    async def _reload(self, by: str) -> Reloaded:
        try:
            prepared = await self.prepare()
        except UsageError as error:
            return Reloaded(by, mistake=str(error))
        if self._agree and (why := await self._agree(prepared)):
            return Reloaded(by, mistake=why)
        if self._lifecycle.draining:
            return Reloaded(by, mistake="the bridge stops")
        self.take(prepared)
        return Reloaded(by, prepared.found.changes, prepared.found.fixed)

    async def prepare(self) -> Prepared:
        """Read and validate, and change nothing. Raises UsageError, for files that are not read in time too."""
        try:
            with trio.fail_after(LONGEST_READ):
                return await self._in_thread(self._prepare)
        except trio.TooSlowError:
            raise UsageError(
                f"the files were not read within {LONGEST_READ:g} s; look for a disk or a pipe that hangs"
            ) from None

    def take(self, prepared: Prepared) -> None:
        """Apply what was prepared."""
        self._apply(prepared)
        self._current = replace(prepared, tables=None)

    def _prepare(self) -> Prepared:
        before, prepared = self._current, Prepared.of(self._read())
        found = differences(before.settings, prepared.settings, before.fingerprints, prepared.fingerprints)
        settings = kept(before.settings, prepared.settings)
        prepared = replace(prepared, settings=settings, found=found, tables=self._build(settings))
        if self._way_to_providers(prepared) == self._way_to_providers(self._current):
            return prepared
        transports = self._transports(prepared.settings)
        if isinstance(transports, Transports):
            transports.prepare()
        return replace(prepared, transports=transports)

    @staticmethod
    def _way_to_providers(prepared: Prepared) -> tuple[object, ...]:
        settings = prepared.settings
        return settings.upstream_ca, prepared.fingerprints.get("upstream_ca"), settings.idle_timeout

    def __repr__(self) -> str:
        return f"<Reloader {'at work' if self._one_at_a_time.locked() else 'idle'}>"
