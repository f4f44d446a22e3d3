"""The process: signals, standard streams, log output, core dumps.

Files, in reading order
    signals: handlers for SIGTERM and SIGHUP, installed before anything else.
    standard_streams: stdout and stderr that may be closed or non-blocking.
    log_writer: a thread that writes log lines, so that a stalled reader blocks no request.
    throttled_reports: reports of frequent occurrences, at most one per second.
    core_dumps: no core dumps, because memory holds keys.
"""
