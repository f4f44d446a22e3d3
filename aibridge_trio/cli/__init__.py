"""The command line: commands, flags, help pages, and what is installed beside the code."""
