"""Telemetry: counters, metrics, logs and the status document, all made from events and statistics.

Terms
    event: a record of what happened to a request, a breaker or the bridge (see `events`).
    counter, histogram: what `/metrics` and `/status` both read.
    family: a metric with all its children. child: one set of label values.
    exposition: metrics as text for a scraper.
    tally: the counts of one caller.

Files, in reading order
    counters: counts events.
    metrics: all metrics, from counters and statistics. families: one metric, of counts by labels.
    provider_gauges: what each provider does now. process_report: the process, its event loop and listeners.
    exposition_format: metrics as Prometheus text or OpenMetrics.
    logs: log lines, from events. log_format: how a line is written.
    recent_requests: the latest requests. explanation: what is said of one.
    status: the document of `/status`. sharing_report: its part about the store that replicas share.
    tracing/: traces for OpenTelemetry.
    provider_health: how long a provider has not responded, and why its breakers changed; for `status`.
"""
