"""What the bridge costs, beside other proxies doing the same work on the same machine: `python -m bench`."""
