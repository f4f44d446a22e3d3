"""Byte streams, TLS, deadlines and the poller."""
