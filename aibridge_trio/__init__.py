"""AI Bridge: a proxy that protects AI providers and their callers from overload."""

__version__ = "0.1.0"
