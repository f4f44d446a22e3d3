"""The pure heart: state machines and tables that know no I/O, no clock and no framework."""
