"""Configuration: options, how their values are read, where each came from, and the policies made of them.

Terms
    option: one setting of a command, with its name, unit, default, variables and help.
    unit: a kind of value, with its parser, its formatter and an example.
    origin: where a value came from: a flag, an environment variable, the file, or the default.
    private option: one that is read from the environment only, because `ps` shows flags.
    protection: a limit or breaker that `--shadow` can reduce to counting.
    requirement: what settings must meet together; a violation is an error.
    contradiction: a setting without effect beside the others; it is a warning.

Files, in reading order
    unit, units, addresses: parse text into values.
    toml_positions, document: a TOML file, and where in it each key is.
    known_callers, provider_tables: the tables of the configuration file.
    caller_tokens: what a caller's token is.
    option: what an option is.
    store_url: where the store of replicas is. collector_headers: headers for a collector of traces.
    listener_options, limit_options, sharing_options, settings: all options, and `Settings`, which holds values.
    protections: names, reject reasons and switches of the protections.
    handed_over: addresses of sockets that the service manager opened.
    origin, loader: read flags, environment and file into `Settings`.
    tables/: read the tables of the configuration file.
    files: read and check the files that settings name.
    requirements, sharing_checks, tracing_checks, loop_check: errors that show only in all settings together.
    conflicts, startup_warnings, table_warnings: warnings about valid settings.
    fixed_options, differences: what a reload cannot change, and what differs between two configurations.
    config_hash: a number by which replicas that are configured differently show.
    suggestions: option names of other programs.
    policies: make limits and breaker policies of settings.
"""
