"""The command line: commands, their options, help pages, completion scripts and man pages.

Terms
    command: a word after `aibridge`, its function in `main`, and its options in `flags`.
    flag: an option on the command line (`--rate-limit`); variables and the file set options, too.
    word: a value of a positional argument that a shell can complete.
    usage error: wrong usage; one line on stderr, exit status 2.

Files, in reading order
    main: a function per command, and the exit statuses. client_commands: those that ask running bridges.
    output: what commands print.
    commands: the list of them, with examples.
    flags: the options of each command.
    parser: parses arguments with cyclopts, and formats errors.
    help: the format of help pages.
    check: the output of `aibridge check`; `aibridge doctor` has its own package.
    init_options, init_text, init: a first configuration file.
    assets: completion scripts, man pages and schemas in the package.
"""
