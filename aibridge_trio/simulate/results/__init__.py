"""Measurements, outcomes and reports.

Terms:

answered    the first token came within the caller's patience, and the answer was complete.
wasted      of calls to the provider: those that did not end in a complete answer.
outcome     the numbers of one run.

In reading order:

measure     counts while a scenario runs; docs/simulate.md defines each number.
outcome     the numbers, and how they follow from the counts.
report      a table per scenario, or one JSON document. svg: curves side by side. progress: on stderr.
"""
