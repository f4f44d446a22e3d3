"""Scenario files, settings, and the requests of callers.

Terms:

group      callers of one kind: how many, how often they ask, with which client, how patient.
crowd      a time in which callers ask several times as often.
phase      a time in which something is wrong at the provider.
request    what one caller wants; drawn once per seed, so that every policy sees the same requests.

In reading order:

scenario    a scenario as data.
parse       a scenario, read from TOML. shipped/ has those of the program.
toml_table  one table of such a file, read key by key, with errors that name the place.
settings    the bridge's settings in a scenario, by the program's names and units.
demand      the requests of a scenario and a seed.
"""
