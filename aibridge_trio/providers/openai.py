"""OpenAI: https://platform.openai.com/docs/api-reference."""

from __future__ import annotations

from aibridge_trio.providers import dialects
from aibridge_trio.providers.provider import Provider
from aibridge_trio.providers.route import any_method, intercepted, posted, readable, stored

OPENAI = Provider(
    name="openai",
    api="openai",
    prefix="/openai/v1",
    routes=(
        *intercepted("/chat/completions", "/responses", "/completions", "/responses/compact"),
        *readable("/models", "/models/*", slashes=True),
        *posted("/embeddings", "/moderations"),
        *posted("/responses/input_tokens", refers=True),
        *posted("/images/generations", "/images/edits", "/images/variations"),
        *posted("/audio/speech", "/audio/transcriptions", "/audio/translations"),
        # Azure before /openai/v1, as its SDKs still call it: the name in the path decides, not the body.
        # https://learn.microsoft.com/azure/ai-foundry/openai/reference
        *intercepted("/deployments/*/chat/completions", "/deployments/*/completions", model="path"),
        *posted("/deployments/*/embeddings", model="path"),
        *readable("/chat/completions", own_key=True),
        *any_method("/chat/completions/*", "/responses/*", "/images/*", "/audio/*", own_key=True),
        *stored("/conversations", "/files", "/batches", "/uploads", "/vector_stores"),
    ),
    dialect=dialects.openai,
    credential=lambda key: (b"authorization", b"Bearer " + key.encode()),
    account=("openai_organization", "openai_project"),
)
