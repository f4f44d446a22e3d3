"""What is measured of the program: speed beside other proxies, a scorecard of behaviour, and a soak."""
