"""The process: signals, standard streams, core dumps."""
