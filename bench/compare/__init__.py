"""Speed beside other proxies: one set of scenarios, the same machine, the same minutes."""
