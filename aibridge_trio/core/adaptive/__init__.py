"""The adaptive limiter: learns what a provider takes, and holds requests in place of rejecting them.

Pure: times are parameters, in seconds on any monotonic clock.

Terms:

pushback    a provider's refusal without any part of an answer: a complete 429, 503 or 529, an overload event
            before any content, a refused connection
start       a request at the provider whose answer has not begun
level       how many requests were at the provider when a request was sent, itself included
bound       the learned limit of the level; it is below what was pushed back
window      the learned limit of starts
probe       a start one above the bound, to find out whether the provider takes more
canary      the only start during an outage
pace        the learned rate of a quota, in requests or tokens a second
held        waiting in the line, in place of a reject
line        the held requests of one provider
patience    how long a caller waits before it leaves
background  pushbacks that do not depend on load: a share of starts fails whatever the bridge does

In reading order:

entry.py          one request; what a pushback says
load_evidence.py  whether pushbacks depend on load, and which bound explains them
level_bound.py    the learned bound, and its probes
pace.py           the learned pace of a quota
quotas.py         the quotas of one credential, learned or told in headers
governor.py       all of the above for one provider; outages
governor_stats.py what a governor has learned, as numbers; governor_snapshot.py: the same for a restart
replica_governor.py  a governor whose outages are those of all replicas
own_keys.py       the quotas of callers' own keys
patience.py       how long each caller's requests wait, learned from those that left
line.py           the held requests: turns go round by caller
resend_budget.py  how many requests may be sent again
comeback.py       when a rejected request should come back
own_limits.py     the bridge's own limits, which a request needs besides
limiter.py        the limiter: all of the above composed
words.py          what the limiter has learned, as text
"""
