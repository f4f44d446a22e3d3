"""The kinds of work: each runs it through every proxy in turn, round by round, and returns readings."""
