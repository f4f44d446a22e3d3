"""Status documents as records, and rates between them. Pure."""
