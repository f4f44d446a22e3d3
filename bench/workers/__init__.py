"""What more processes are worth: a bridge in one process, and with workers."""
