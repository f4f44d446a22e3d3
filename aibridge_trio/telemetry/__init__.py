"""Counters, metrics, logs and status."""
