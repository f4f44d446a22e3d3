"""Status documents as records, and rates between them. Pure.

parse: JSON to records · document: the records · history: the last minutes · rates: per provider and queue.
"""
