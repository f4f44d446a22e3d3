"""What the kernel says of a process: memory, threads, descriptors, and its TCP connections with their states."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

# From the kernel's net/tcp_states.h.
STATES = {
    "01": "established",
    "02": "syn_sent",
    "03": "syn_received",
    "04": "fin_wait1",
    "05": "fin_wait2",
    "06": "time_wait",
    "07": "close",
    "08": "close_wait",
    "09": "last_ack",
    "0A": "listen",
    "0B": "closing",
}
_SOCKET = re.compile(r"socket:\[(\d+)\]")


@dataclass(frozen=True, slots=True)
class Outside:
    """One look: resident memory in KiB, threads, open descriptors, TCP connections by state without listeners."""

    resident: int
    threads: int
    descriptors: int
    connections: Mapping[str, int]

    @property
    def tcp(self) -> int:
        """How many connections there are."""
        return sum(self.connections.values())


def look(pid: int) -> Outside:
    """Look at a process."""
    process = Path(f"/proc/{pid}")
    fields = status_fields((process / "status").read_text())
    descriptors = list(_descriptors(process / "fd"))
    states = tcp_states(Path(f"/proc/{pid}/net/tcp").read_text().splitlines())
    sockets = [hit[1] for each in descriptors if (hit := _SOCKET.fullmatch(each))]
    connections = Counter(states[inode] for inode in sockets if inode in states)
    connections.pop("listen", None)
    return Outside(fields["VmRSS"], fields["Threads"], len(descriptors), dict(sorted(connections.items())))


def status_fields(text: str) -> dict[str, int]:
    """Return the numbers of /proc/PID/status."""
    return {name: int(value) for name, value in re.findall(r"^(\w+):\s+(\d+)\b", text, re.MULTILINE)}


def tcp_states(lines: Iterable[str]) -> dict[str, str]:
    """Return the state of each socket of /proc/net/tcp, by its inode; the first line is its head."""
    _, *rows = [line.split() for line in lines]
    return {row[9]: STATES.get(row[3], row[3]) for row in rows}


def _descriptors(folder: Path) -> Iterable[str]:
    for each in folder.iterdir():
        try:
            yield str(each.readlink())
        except OSError:
            continue  # closed meanwhile
