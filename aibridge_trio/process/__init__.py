"""The process: signals, standard streams, garbage collector, log output, core dumps.

Terms
    stalled reader: a program that has stopped reading our output; writing to it would block.
    gap: log lines that were dropped for a stalled reader, counted in the log when it reads again.

Files, in reading order
    signals: handlers for SIGTERM and SIGHUP, installed before anything else.
    collector: Python's garbage collector, which runs rarely.
    standard_streams: stdout and stderr that may be closed or non-blocking.
    log_writer: a thread that writes log lines, so that a stalled reader blocks no request.
    log_file: a file that lines are appended to, and opened again.
    audit: who changed what.
    throttled_reports: reports of frequent occurrences, at most one per second.
    state_file: a file that keeps state from one process to the next.
    systemd: messages to the service manager.
    clock: Trio's clock, in fewer calls.
    usage: CPU time, memory and descriptors of the process.
    core_dumps: no core dumps, because memory holds keys.
"""
