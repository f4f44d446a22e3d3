"""Limits on concurrency and rate, and the queue. Pure."""
