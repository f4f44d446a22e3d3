"""Status documents as records, and rates between them. Pure.

Terms:

document    one answer of `/status`.
picture     the latest document, with rates over an interval.
rate        a counter's difference between two documents, per second.

In reading order: parse (JSON to bounded records) · document (the records) · rates (per provider and queue) ·
history (the last minutes, and the picture made of them) · fleet (several replicas as one).
"""
