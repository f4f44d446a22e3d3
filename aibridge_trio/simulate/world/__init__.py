"""Callers, clients and a provider in virtual time.

Terms:

client      software that sends requests and retries: an SDK or an agent, as data.
caller      a client's user, who waits for the first token for so long (patience, in seconds).
call        one attempt of a request.
slot        what the provider needs for one call at a time; it has so many.
quota       what the provider admits per minute and key: requests and tokens.

In reading order:

engine      virtual time: what happens next.
randomness  random numbers that depend only on the seed, the attempt and the purpose.
clients     how clients retry.
callers     each request is tried as its client tries, and ends exactly once.
call        one attempt, and what both sides learn of it.
provider    slots, pace and phases; its quotas are core/quota's. timeline: its phases.
providers   all of a scenario.
"""
