"""The providers' side: calls, connection pools, proxies."""
