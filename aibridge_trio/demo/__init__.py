"""`aibridge demo`."""
