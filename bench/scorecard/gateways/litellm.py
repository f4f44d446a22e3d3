"""The LiteLLM proxy without a database: limits per model and, by a function that knows all keys, per caller."""

from __future__ import annotations

import json

from bench.compare.peers import Launch, Place, litellm
from bench.scorecard.caller import MODEL
from bench.scorecard.gateways import CENTRAL_KEY, Gateway
from bench.scorecard.scene import Metrics
from bench.scorecard.terms import Setup, Terms

# Which failures count, each kind for itself; as the model's own policy, because it may not cool down alone else.
_COUNTED = ("RateLimit", "ServiceUnavailable", "InternalServer", "BadGateway", "Timeout")
# Keys that are no database's: https://docs.litellm.ai/docs/proxy/custom_auth
_AUTH = """
from litellm.proxy._types import UserAPIKeyAuth

async def known(request, api_key: str) -> UserAPIKeyAuth:
    return UserAPIKeyAuth(**{{"api_key": api_key, **{limits}}})
"""


def gateway() -> Gateway | None:
    """Return LiteLLM, if it is installed."""
    peer = litellm.peer()
    if peer is None:
        return None
    program = peer.executable

    def launch(place: Place, setup: Setup, terms: Terms) -> Launch:
        return Launch(
            (
                *(program, "--config", str(place.folder / "litellm.yaml")),
                *("--host", "127.0.0.1", "--port", str(place.port)),
            ),
            # It does not start without a key of its own; without the second it looks for prices on the internet.
            environment={
                "LITELLM_MASTER_KEY": "sk-operator",
                "LITELLM_LOCAL_MODEL_COST_MAP": "True",
                "GRACEFUL_SHUTDOWN_TIMEOUT": "30",
            },
            files={
                # JSON is YAML.
                "litellm.yaml": json.dumps(_config(place, setup, terms), indent=1),
                "scorecard_auth.py": _AUTH.format(limits=_limits(setup, terms)),
            },
        )

    return Gateway(peer=peer, launch=launch, metrics=_metrics)


def _limits(setup: Setup, terms: Terms) -> dict[str, object]:
    match setup:
        case Setup.FULL:
            # All are one caller, so that its limit is that of all: a model's own does not say when to come back.
            return {"api_key": "everybody", "max_parallel_requests": terms.limit}
        case Setup.CALLERS:
            return {"rpm_limit": terms.rate}
        case Setup.FAIR:
            return {"max_parallel_requests": terms.share}
    return {}


def _config(place: Place, setup: Setup, terms: Terms) -> object:
    model: dict[str, object] = {
        "model": f"openai/{MODEL}",
        "api_base": f"http://127.0.0.1:{place.provider}/v1",
        "api_key": CENTRAL_KEY if setup is Setup.GOODPUT else "sk-provider",
        "max_retries": 0,
    }
    if setup is Setup.FAIR:
        model["max_parallel_requests"] = terms.slots
    info: dict[str, object] = {}
    router: dict[str, object] = {"num_retries": 0}
    if setup in (Setup.BREAKER, Setup.TOLD):
        allowed = 0 if setup is Setup.TOLD else terms.threshold - 1
        info["allowed_fails_policy"] = {f"{kind}ErrorAllowedFails": allowed for kind in _COUNTED}
        # The router's, not the model's: that would win over what the provider tells.
        router["cooldown_time"] = terms.cooldown
    retries = 0
    if setup is Setup.GOODPUT:
        # As https://docs.litellm.ai/docs/proxy/reliability has it: retries with back-off, a cooldown by default.
        router["num_retries"] = retries = 2
    return {
        "model_list": [{"model_name": MODEL, "litellm_params": model, "model_info": info}],
        "router_settings": router,
        "litellm_settings": {"telemetry": False, "num_retries": retries, "callbacks": ["prometheus"]},
        "general_settings": {"custom_auth": "scorecard_auth.known", "cancel_on_disconnect": True},
    }


def _metrics(place: Place) -> Metrics:
    return Metrics(
        place.port,
        "/metrics/",
        state=r"litellm_deployment_state\b",
        rejects=r"litellm_proxy_failed_requests_metric_total\b",
    )
