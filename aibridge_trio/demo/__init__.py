"""`aibridge demo`: a bridge before two mock providers, with outages.

show: the course of the demo · load: its callers.
"""
