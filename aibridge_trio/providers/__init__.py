"""The providers: what they serve, how they take keys and how they word errors.

Terms:

provider     OpenAI, Anthropic, GitHub Copilot, or a compatible service: at their base URL, or under its own name.
API          what a provider speaks: OpenAI's, Anthropic's or Copilot's.
prefix       of a provider's paths on the bridge, such as `/openai/v1`.
route        a row of a provider's allow-list; no other request reaches it.
intercepted  of a route: answers are inspected for verdict and usage, requests need the breaker's permit.
dialect      the JSON of a provider's errors, in which rejects are sent.
central key  the operator's key, sent in place of the callers'.
own key      a caller's key, sent on as it came.

In reading order:

openai, anthropic, copilot  the facts.
provider                    their type.
instances                   providers of the operator's own: one of these APIs under another name.
route                       rows of an allow-list.
dialects                    rejects as OpenAI's and Anthropic's errors.
lookup                      method and path → provider and route.
model_paths                 paths of the base URL `/v1`, where the model decides about the provider.
base_url_hints              for a 404: the base URL that was probably meant.
quota_headers               names of quota headers, and how to parse their reset times.
"""

from aibridge_trio.providers.anthropic import ANTHROPIC
from aibridge_trio.providers.copilot import COPILOT
from aibridge_trio.providers.instances import instance
from aibridge_trio.providers.openai import OPENAI
from aibridge_trio.providers.provider import Dialect, Provider
from aibridge_trio.providers.route import Route

# The built-in ones, in the order of /status, of help pages and of look-ups.
ALL: tuple[Provider, ...] = (OPENAI, ANTHROPIC, COPILOT)

__all__ = ["ALL", "ANTHROPIC", "COPILOT", "OPENAI", "Dialect", "Provider", "Route", "instance"]
