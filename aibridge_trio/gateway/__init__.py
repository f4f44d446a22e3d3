"""One request from a caller to a provider and back: admission, routing, circuit, relay."""
