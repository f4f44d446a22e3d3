"""`aibridge doctor`: examines what a bridge with this configuration needs, and what its callers will see.

Terms
    finding: one thing that was examined, and how it is: `ok`, `warning` or `error`.
    cheap call: the GET of a provider's list of models, which needs a key and costs nothing.

Files, in reading order
    finding: its type, as a line and as a JSON document.
    examination: all of them, in order.
    provider_calls: are the providers reached, and are the keys accepted?
    clock: this machine's against the providers'.
    machine: descriptors, files and the certificate.
    limits: limits that contradict each other or what clients do.
    callers: what they will see.
"""

from aibridge_trio.doctor.examination import run
from aibridge_trio.doctor.finding import Finding, document, lines, well

__all__ = ["Finding", "document", "lines", "run", "well"]
