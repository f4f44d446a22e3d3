"""What the bridge costs, beside other proxies doing the same work on the same machine: see `bench/README.md`."""
