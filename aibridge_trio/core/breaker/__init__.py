"""The circuit breaker and what it judges by. Pure."""
