"""Scenario files, settings, and the requests of callers."""
