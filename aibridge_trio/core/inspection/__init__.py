"""What requests and responses say, read in bounded memory. Pure."""
