"""Measurements, outcomes and reports."""
