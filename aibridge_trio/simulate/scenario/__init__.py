"""Scenario files, settings and demand."""
