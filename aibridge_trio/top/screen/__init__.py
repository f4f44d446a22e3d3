"""Records as text on a screen. Pure."""
