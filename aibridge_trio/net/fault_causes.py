"""Why a call failed, in a few words for the log; taken from exceptions, never from what a caller sent."""

from __future__ import annotations

import errno
import os
import socket
import ssl
from collections.abc import Iterator

import trio

from aibridge_trio.net.stream import SHORTAGE_ERRNOS, Shortage

_UNREACHABLE = {errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENETDOWN, errno.EHOSTDOWN}
_NO_NAME = {socket.EAI_NONAME, getattr(socket, "EAI_NODATA", socket.EAI_NONAME)}


def cause(error: BaseException) -> str:
    """Return the message of an exception, or of the first in its chain of causes that has one; else its type."""
    said = (_words(each) for each in chain(error))
    return next((words for words in said if words), "") or type(error).__name__


def is_local_shortage(error: BaseException) -> bool:
    """Return whether the cause is a shortage of descriptors, memory or threads on this machine."""
    return any(
        isinstance(each, Shortage) or (isinstance(each, OSError) and each.errno in SHORTAGE_ERRNOS)
        for each in chain(error)
    )


def is_refusal(error: BaseException) -> bool:
    """Return whether a connection failed in a way that may pass: refused, reset, closed at once, or unreachable.

    A name that is not found and a certificate that is not valid are not of that kind.
    """
    causes = tuple(chain(error))
    if any(isinstance(each, ssl.SSLError | socket.gaierror) for each in causes):
        return False
    passing = (ConnectionError, TimeoutError, trio.BrokenResourceError)
    return any(isinstance(each, passing) or getattr(each, "errno", None) in _UNREACHABLE for each in causes)


def _words(error: BaseException) -> str:
    match error:
        case ssl.SSLCertVerificationError():
            return f"certificate verify failed: {error.verify_message}"
        case ssl.SSLError():
            return f"TLS: {(error.reason or 'broken off').replace('_', ' ').lower()}"
        case OSError():
            return _of_system(error)
        case trio.BrokenResourceError() if error.args and not error.__cause__:
            return str(error)
    return "closed here" if isinstance(error, trio.ClosedResourceError) else ""


def _of_system(error: OSError) -> str:
    match error:
        case socket.gaierror(errno=number):
            return "name not found" if number in _NO_NAME else f"name look-up failed: {error.strerror}"
        case ConnectionResetError() | BrokenPipeError():
            return "reset by peer"
        case OSError(errno=int(number)):
            return os.strerror(number).lower()
    return str(error) if isinstance(error, Shortage) else ""


def chain(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an exception and all of its causes, including those in groups, each once."""
    seen: set[int] = set()
    rest = [error]
    while rest:
        error = rest.pop()
        if error is None or id(error) in seen:
            continue
        seen.add(id(error))
        yield error
        rest.append(error.__cause__ or error.__context__)
        if isinstance(error, BaseExceptionGroup):
            rest += reversed(error.exceptions)
