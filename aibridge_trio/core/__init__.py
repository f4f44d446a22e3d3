"""Decisions: pure state machines. No I/O, no clock, no framework; the time is a parameter.

limits/      which request may be in flight, which waits, and which is refused
breaker/     when a provider gets no requests, and what counts as its failure
inspection/  what a request's and an answer's bytes show: the model, tokens, errors
key_pool.py  which of a provider's keys a request is sent with, and key_errors.py, what an error says of its key
terms.py     what a caller may use, and
caller.py    the caller, as all of them and the events know it; priority.py, how callers of low priority get turns
quota.py     a provider's quotas, and quota_headers.py, how OpenAI tells them: for the providers that we imitate
"""
