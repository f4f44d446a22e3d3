# For those who build it. The program itself needs none of this.
PYTHON ?= python3

.PHONY: binary check check-binary

# One self-contained executable, dist/aibridge; see docs/binary.md.
binary:
	@$(PYTHON) packaging/build.py

check:
	@scripts/check

check-binary:
	@scripts/check-binary
