"""HTTP/1.1 as pure functions and parsers: messages, headers, events, requests and responses."""
