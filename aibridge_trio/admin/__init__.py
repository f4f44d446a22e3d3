"""The admin API and its client."""
