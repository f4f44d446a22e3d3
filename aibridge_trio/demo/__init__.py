"""`aibridge demo`: a bridge before two mock providers, with outages.

Terms:

incident    a time in which a mock fails as scripted.
load        the demo's callers.

In reading order: show (the course of the demo) · load (callers, and commands to the mocks).
"""
