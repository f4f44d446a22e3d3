"""Generators of files in the repository: man pages, completions, docs/tuning.md, docs/top.svg. Not installed."""
