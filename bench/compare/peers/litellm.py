"""The LiteLLM proxy with one worker, as its first page starts it."""

from __future__ import annotations

import json

from bench.compare.peers import Launch, Peer, Place, find, said
from bench.compare.traffic import KEY, MODEL


def peer() -> Peer | None:
    """Return LiteLLM, if it is installed."""
    executable = find("litellm", "litellm/bin")
    if executable is None:
        return None
    asked = "from importlib.metadata import version; print(version('litellm'))"
    python = find("python", "litellm/bin") or "python3"
    version = said(python, "-c", asked).split()[-1]
    return Peer(name="litellm", executable=executable, version=version, launch=_launch, crowd=0, slow=True)


def _launch(program: str, place: Place) -> Launch:
    provider = {
        "model": f"openai/{MODEL}",
        "api_base": f"http://127.0.0.1:{place.provider}/v1",
        "api_key": "sk-provider",
    }
    # JSON is YAML.
    config = {
        "model_list": [{"model_name": MODEL, "litellm_params": provider}],
        "litellm_settings": {"telemetry": False},
    }
    return Launch(
        (
            *(program, "--config", str(place.folder / "litellm.yaml")),
            *("--host", "127.0.0.1", "--port", str(place.port)),
        ),
        # Without a key of its own it does not start; without the second it first looks for prices on the internet.
        environment={"LITELLM_MASTER_KEY": KEY, "LITELLM_LOCAL_MODEL_COST_MAP": "True"},
        files={"litellm.yaml": json.dumps(config, indent=1)},
    )
