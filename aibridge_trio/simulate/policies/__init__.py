"""What stands between callers and the provider."""
