"""What a store that replicas share costs: a bridge with one beside a bridge without, and LiteLLM with Redis."""
