"""What stands between callers and the provider.

Terms:

policy      decides about each call: forward it, hold it or reject it.

In reading order:

passthrough  forwards everything; the base of the others.
bridge       the product: its own limiter and rejects. circuit: its breakers.
clairvoyant  the bound: sees what no bridge can see.
others       other gateways, as far as their code shows what they do. per_provider: one for each provider.
"""
