"""Hours in minutes: very many requests with faults on both sides, and whether anything is left of them."""
