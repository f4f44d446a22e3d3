"""The tables of the configuration file: `[classes.*]`, `[[callers]]`, `[providers.*]`, `[[routes]]`.

Terms
    kind: which TOML values a key may have; with its JSON Schema.
    key: one key of a table, with its kind and help.
    shape: the keys of one sort of table. A document of the right shape may still name a class that is nowhere.

Files, in reading order
    kinds: the kinds.
    key: what a key and a shape are.
    keys: every key of every table.
    shape: reads a document by its shapes; the errors name line and column.
    callers: `[classes.*]` and `[[callers]]`, also of --callers-file.
    providers: `[providers.*]`; opens key files.
    routes: `[[routes]]`.
    shown: the tables in force, for `aibridge check`.
    every: all of them, added to the settings.
"""
