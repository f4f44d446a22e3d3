"""The proxies of the run: each with limits that are never reached, once by itself and once with a store."""

from __future__ import annotations

import json

from bench.compare.peers import Launch, Peer, Place, aibridge, litellm
from bench.compare.traffic import MODEL

LIMITS = (*aibridge.CONCURRENCY, *aibridge.RATE)
# Keys that are no database's, as bench/scorecard has them: https://docs.litellm.ai/docs/proxy/custom_auth
_AUTH = """
from litellm.proxy._types import UserAPIKeyAuth

async def known(request, api_key: str) -> UserAPIKeyAuth:
    return UserAPIKeyAuth(api_key=api_key, rpm_limit=6_000_000, max_parallel_requests=10_000)
"""


def bridges(executable: str, store: str) -> list[Peer]:
    """Return a bridge without a store, and one with it."""
    with_store = (*LIMITS, "--store", store)
    return [aibridge.peer(executable, "aibridge", LIMITS), aibridge.peer(executable, "aibridge+store", with_store)]


def others(port: int) -> list[Peer]:
    """Return LiteLLM without and with the Redis at a port, if it is installed."""
    found = litellm.peer()
    if found is None:
        return []

    def peer(name: str, settings: dict[str, object]) -> Peer:
        def launch(program: str, place: Place) -> Launch:
            return _launch(program, place, settings)

        return Peer(name=name, executable=found.executable, version=found.version, launch=launch, crowd=0)

    # https://docs.litellm.ai/docs/proxy/prod: limits of keys are common to all instances that share a Redis.
    redis = {"cache": True, "cache_params": {"type": "redis", "host": "127.0.0.1", "port": port}}
    redis["cache_params"] |= {"supported_call_types": []}  # type: ignore[operator] # answers are not cached
    return [peer("litellm", {}), peer("litellm+redis", redis)]


def _launch(program: str, place: Place, settings: dict[str, object]) -> Launch:
    provider = {
        "model": f"openai/{MODEL}",
        "api_base": f"http://127.0.0.1:{place.provider}/v1",
        "api_key": "sk-provider",
    }
    # JSON is YAML.
    config = {
        "model_list": [{"model_name": MODEL, "litellm_params": provider}],
        "litellm_settings": {"telemetry": False, **settings},
        "general_settings": {"custom_auth": "bench_auth.known"},
    }
    return Launch(
        (
            *(program, "--config", str(place.folder / "litellm.yaml")),
            *("--host", "127.0.0.1", "--port", str(place.port)),
        ),
        environment={"LITELLM_MASTER_KEY": "sk-operator", "LITELLM_LOCAL_MODEL_COST_MAP": "True"},
        files={"litellm.yaml": json.dumps(config, indent=1), "bench_auth.py": _AUTH},
    )
