"""`aibridge demo`: the same callers straight to one mock provider, and through a bridge to another.

Terms:

side        the callers' way to a provider, and that provider: one is straight, one has the bridge in between.
incident    a time in which both providers take less, or nothing.
arrival     a request: when it comes, and whose it is.
patience    how long a caller waits for its first token.
wasted      a call that reached the provider and gave no caller an answer.

In reading order: show (the course of the demo) · incidents · callers (requests, retried as SDKs do; bench/goodput
has the same) · side (one side, and what it has counted) · report (the lines).
"""
