"""What writes generated files: man pages, completions, the tables of docs/tuning.md. Not in the package."""
