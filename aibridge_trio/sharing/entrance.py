"""How workers connect to the arbiter of their supervisor: by a socket that they inherit, the entrance.

A worker makes a pair of connected sockets, and sends one of them over the entrance. So nothing listens at a path
or a name, which other programs could reach, and which a supervisor that is killed would leave behind.
"""

from __future__ import annotations

import socket
import struct

_CONNECTION = b"c"
_DESCRIPTOR = struct.Struct("i")


def new_entrance() -> tuple[socket.socket, socket.socket]:
    """Return the arbiter's end of an entrance, and the end that its workers inherit; neither blocks."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    ours.setblocking(False)
    theirs.setblocking(False)
    return ours, theirs


def connect(entrance: socket.socket) -> socket.socket:
    """Return a new connection to the arbiter, by the workers' end of its entrance. Raises OSError."""
    kept, sent = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    with sent:
        try:
            socket.send_fds(entrance, [_CONNECTION], [sent.fileno()])
        except BaseException:
            kept.close()
            raise
    return kept


def accept(entrance: socket.socket) -> socket.socket | None:
    """Return the next connection, by the arbiter's end. Raises OSError.

    None is one that was lost for lack of descriptors: its worker finds it closed.
    """
    # Not recv_fds, which ignores flags.
    _, sent, _, _ = entrance.recvmsg(1, socket.CMSG_SPACE(_DESCRIPTOR.size), socket.MSG_CMSG_CLOEXEC)
    for level, kind, data in sent:
        if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
            return socket.socket(fileno=_DESCRIPTOR.unpack_from(data)[0])
    return None
