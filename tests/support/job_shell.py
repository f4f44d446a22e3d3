"""The smallest shell with job control: it starts one job, sees it stop, and puts it into the foreground again.

`job_shell.py OUT IN PROGRAM ...` runs with a terminal as its standard input. OUT is the descriptor to which the
shell writes the job's process id, then each stop (`stopped SIGNAL`) and the end (`ended STATUS`), a line each. IN
is the descriptor from which it reads `fg` or `bg` for a stopped job. With `alone PROGRAM ...` no shell stays, as
over `ssh -t`.
"""

from __future__ import annotations

import fcntl
import os
import signal
import sys
import termios
from typing import NoReturn


def become(program: list[str]) -> NoReturn:
    """Become the program, which no signal of a terminal's is hidden from."""
    for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP, signal.SIGTSTP, signal.SIGTTOU):
        signal.signal(number, signal.SIG_DFL)
    os.execvp(program[0], program)


def alone(program: list[str]) -> NoReturn:
    """Run the program without a shell."""
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    become(program)


def shell(tell: int, hear: int, program: list[str]) -> None:
    """Run the program as a job until it ends."""
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    # From behind the terminal, too, a shell says whose it is.
    signal.signal(signal.SIGTTOU, signal.SIG_IGN)
    job = os.fork()
    if not job:
        os.setpgid(0, 0)
        os.tcsetpgrp(0, os.getpid())
        os.close(tell)
        os.close(hear)
        become(program)
    os.write(tell, f"{job}\n".encode())
    while True:
        _, status = os.waitpid(job, os.WUNTRACED)
        os.tcsetpgrp(0, os.getpgrp())
        if not os.WIFSTOPPED(status):
            os.write(tell, f"ended {os.waitstatus_to_exitcode(status)}\n".encode())
            return
        os.write(tell, f"stopped {os.WSTOPSIG(status)}\n".encode())
        if os.read(hear, 3) == b"fg\n":
            os.tcsetpgrp(0, job)
        os.killpg(job, signal.SIGCONT)


if __name__ == "__main__":
    if sys.argv[1] == "alone":
        alone(sys.argv[2:])
    shell(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:])
