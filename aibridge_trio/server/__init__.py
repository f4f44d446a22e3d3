"""The callers' side: listeners, connections, and requests on them."""
