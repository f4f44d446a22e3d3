"""The circuit breaker, and what counts for or against a provider. Pure: no I/O; the time is a parameter.

Terms:

attempt        one request that goes to the provider.
evidence       what an attempt shows: a verdict (success, failure, neutral) and its cause.
caller-related evidence that the caller may have caused: a 429 on its own key, a slow answer to a long question.
threshold      failures in the window that open a closed breaker.
trip           the opening of a breaker by failures, not by its operator.
cooldown       how long a breaker stays open; for a key: how long it is refused.
probe          a request that a half-open breaker admits.
permit         leave to make one attempt; settled with the attempt's evidence.
ticket         for a request whose body is still being read: admitted so far, no permit yet.
generation     the time between two transitions or overrides; permits belong to one.
ramp           after an outage, the growing share of requests that is admitted.
retry hint     what a provider says of when to come back (`Retry-After`, reset times of quotas).

In reading order:

breaker         the state machine: closed, open, half-open; its rules come first.
state           its states, transitions, refusals and statistics.
policy          the settings.
overriding      an operator's override: its reason, and its end by itself.
probe_permit    permits and tickets.
failures        which failures count, and whose they are.
window          events counted in a sliding window.
cooldown        how long the breaker stays open.
recovery_ramp   the share that is admitted after an outage.
verdict         evidence of a status, a fault, a body, an event.
provider_error  error objects in bodies: overload, quota, exhausted account.
retry_after     retry hints in headers.
key_cooldowns   callers' own keys that got a 429.

What replicas share of a breaker:

shared_breaker  a breaker whose state is that of all replicas.
shared_state    what they tell each other of it.
common_failures failures counted over all of them.
"""
