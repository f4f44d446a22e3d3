"""Known callers with the real programs: SDKs, certificates, and tokens that are shown nowhere."""

from __future__ import annotations

import json
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anthropic
import httpx
import openai
import pytest
import trustme

from aibridge_trio.config.caller_tokens import new_token, token_hash
from tests.support.processes import ASK, CHAT, MESSAGES, PATIENCE, TEXT, Bridge, Provider, a_bridge, run

pytestmark = pytest.mark.real

TOKENS = {name: new_token() for name in ("dev-07", "limited", "gone", "revoked")}
OWN = "sk-own-0123456789abcdef"
CENTRAL: Any = {"OPENAI_API_KEY": "sk-central-0123456789", "ANTHROPIC_API_KEY": "sk-ant-central-0123456789"}
UNARY: Any = {"model": "m", "messages": ASK, "max_tokens": 16}
CALLERS = f"""\
[classes.people]
[[callers]]
name = "dev-07"
class = "people"
token_sha256 = "{token_hash(TOKENS["dev-07"].encode())}"
[[callers]]
name = "limited"
models = ["claude-*"]
token_sha256 = "{token_hash(TOKENS["limited"].encode())}"
[[callers]]
name = "gone"
expires = 2020-02-29
token_sha256 = "{token_hash(TOKENS["gone"].encode())}"
[[callers]]
name = "laptop"
certificate = "laptop.example"
"""


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A file of callers."""
    path = tmp_path_factory.mktemp("callers") / "callers.toml"
    path.write_text(CALLERS)
    return str(path)


@pytest.fixture(scope="module")
def known(provider: Provider, file: str) -> Iterator[Bridge]:
    """A bridge that knows them, with central keys."""
    with a_bridge("--callers-file", file, provider=provider, **CENTRAL) as bridge:
        yield bridge


def azure(bridge: Bridge, key: str) -> openai.AzureOpenAI:
    """Return Azure's class of OpenAI's SDK, which sends the key as `api-key`, pointed at the bridge."""
    return openai.AzureOpenAI(
        base_url=f"{bridge.url}/openai/v1",
        api_key=key,
        api_version="2024-10-21",
        max_retries=0,
        timeout=PATIENCE,
        http_client=openai.DefaultHttpxClient(trust_env=False),
    )


# The SDKs


def test_openais_sdk(known: Bridge, provider: Provider) -> None:
    """With a token as its key; the provider gets the central key, and no token."""
    with known.gpt(TOKENS["dev-07"]) as gpt:
        assert gpt.chat.completions.create(**UNARY).choices[0].message.content == TEXT
        assert "".join(
            chunk.choices[0].delta.content or ""
            for chunk in gpt.chat.completions.create(**UNARY, stream=True)
            if chunk.choices
        )
    assert provider.credentials() == {"authorization": f"Bearer {CENTRAL['OPENAI_API_KEY']}"}


def test_azures_class(known: Bridge, provider: Provider) -> None:
    """It sends `api-key`, which goes nowhere."""
    with azure(known, TOKENS["dev-07"]) as client:
        assert client.responses.create(model="m", input="hello").output_text == TEXT
        assert client.chat.completions.create(**UNARY).choices[0].message.content == TEXT
    assert provider.credentials() == {"authorization": f"Bearer {CENTRAL['OPENAI_API_KEY']}"}
    with azure(known, TOKENS["limited"]) as client:  # which puts the model into the path, too
        assert client.chat.completions.create(**{**UNARY, "model": "claude-x"}).choices
        with pytest.raises(openai.PermissionDeniedError):
            client.chat.completions.create(**UNARY)
    with azure(known, "wrong") as client, pytest.raises(openai.AuthenticationError):
        client.responses.create(model="m", input="hello")


def test_anthropics_sdk_with_either_of_its_keys(known: Bridge, provider: Provider) -> None:
    """`api_key` is sent as x-api-key, `auth_token` as Bearer."""
    for key in ("api_key", "auth_token"):
        with anthropic.Anthropic(
            base_url=f"{known.url}/anthropic",
            max_retries=0,
            http_client=anthropic.DefaultHttpxClient(trust_env=False),
            **{key: TOKENS["dev-07"]},  # type: ignore[arg-type]
        ) as claude:
            assert claude.messages.create(**UNARY).content[0].type == "text"
        assert provider.credentials() == {"x-api-key": CENTRAL["ANTHROPIC_API_KEY"]}


def test_a_token_beside_an_own_key(provider: Provider, file: str) -> None:
    """Without a central key the caller's own goes up, the token does not."""
    with a_bridge("--callers-file", file, provider=provider) as bridge:
        with bridge.gpt(OWN) as gpt:
            own = gpt.with_options(default_headers={"X-AIBridge-Token": TOKENS["dev-07"]})
            assert own.chat.completions.create(**UNARY).choices
        assert provider.credentials() == {"authorization": f"Bearer {OWN}"}
        with bridge.gpt(TOKENS["dev-07"]) as gpt:
            gpt.chat.completions.create(**UNARY)
        assert provider.credentials() == {}


@pytest.mark.parametrize("key", ["revoked", "gone"])
def test_sdks_raise_what_their_users_expect(known: Bridge, key: str) -> None:
    """AuthenticationError for a token that is not valid; they do not try again."""
    with known.gpt(TOKENS[key], retries=3) as gpt, pytest.raises(openai.AuthenticationError) as raised:
        gpt.chat.completions.create(**UNARY)
    assert raised.value.code == "unknown_caller"
    with known.claude(TOKENS[key], retries=3) as claude, pytest.raises(anthropic.AuthenticationError) as refused:
        claude.messages.create(**UNARY)
    assert refused.value.body["error"]["type"] == "authentication_error"  # type: ignore[index]


def test_a_model_that_is_not_the_callers(known: Bridge) -> None:
    """PermissionDeniedError, at once."""
    with known.gpt(TOKENS["limited"], retries=3) as gpt, pytest.raises(openai.PermissionDeniedError) as raised:
        gpt.chat.completions.create(**UNARY)
    assert raised.value.code == "model_not_allowed"
    with known.claude(TOKENS["limited"]) as claude:
        assert claude.messages.create(**{**UNARY, "model": "claude-x"}).content


# Certificates


def test_a_certificate_names_a_caller(provider: Provider, file: str, tmp_path: Path) -> None:
    """With one a caller needs no token, and what it sends as a key is its own; without one it needs a token."""
    authority = trustme.CA()
    own, laptop, stranger = (
        authority.issue_cert(*names) for names in (("127.0.0.1",), ("laptop.example",), ("stranger.example",))
    )
    own.private_key_pem.write_to_path(tmp_path / "key.pem")
    own.cert_chain_pems[0].write_to_path(tmp_path / "cert.pem")
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    flags = ("--tls-cert", "cert.pem", "--tls-key", "key.pem", "--tls-client-ca", "ca.pem")
    paths = [flag if flag.startswith("--") else str(tmp_path / flag) for flag in flags]

    def client(certificate: trustme.LeafCert | None) -> httpx.Client:
        trust = ssl.create_default_context()
        authority.configure_trust(trust)
        if certificate:
            certificate.configure_cert(trust)
        return httpx.Client(base_url=bridge.url, verify=trust, trust_env=False, timeout=PATIENCE)

    with a_bridge("--callers-file", file, *paths, provider=provider) as bridge:
        bearer = {"authorization": f"Bearer {OWN}"}
        for certificate, headers, status in (
            (laptop, {}, 200),
            (laptop, bearer, 200),
            (stranger, {}, 401),
            (None, bearer, 401),
            (None, {"authorization": f"Bearer {TOKENS['dev-07']}"}, 200),
        ):
            with client(certificate) as caller:
                for _ in range(2):  # the second on the same connection
                    assert caller.post(CHAT, json=UNARY, headers=headers).status_code == status
            if certificate is laptop:
                assert provider.credentials() == headers
        with client(trustme.CA().issue_cert("laptop.example")) as caller, pytest.raises(httpx.TransportError):
            caller.post(CHAT, json=UNARY)
        names = [line["caller"] for line in bridge.requests(10)]
        assert names == ["laptop"] * 4 + ["127.0.0.1"] * 4 + ["dev-07"] * 2


# Without a restart


def test_a_revoked_token_is_known_until_the_reload(provider: Provider, tmp_path: Path) -> None:
    """As a new user does it: a token, a bridge, another token, and the end of the first. A stream goes on."""
    callers = ("--callers-file", str(tmp_path / "callers.toml"))
    first = run("token", "new", "dev-07", *callers).stdout.strip()
    with a_bridge(*callers, provider=provider, **CENTRAL) as bridge:

        def status(token: str) -> int:
            return bridge.caller.post(CHAT, json=UNARY, headers={"authorization": f"Bearer {token}"}).status_code

        def reload() -> None:
            done = run("reload", "--url", bridge.admin_url)
            assert done.returncode == 0, done.stderr

        second = run("token", "new", "ci", *callers).stdout.strip()
        assert [status(token) for token in (first, second)] == [200, 401]
        reload()
        assert [status(token) for token in (first, second)] == [200, 200]
        provider.change(tokens_per_second=8)
        with bridge.holding(first) as rest:
            assert run("token", "revoke", "dev-07", *callers).returncode == 0
            assert status(second) == 200
            reload()
            assert [status(token) for token in (first, second)] == [401, 200]
            assert b"[DONE]" in b"".join(rest)
        provider.change(tokens_per_second=0)
        assert run("token", "revoke", "ci", *callers).returncode == 0
        reload()
        assert status(second) == 401
        assert bridge.caller.post(CHAT, json=UNARY).status_code == 401


# Nothing shows a token


def test_tokens_are_shown_nowhere(provider: Provider, file: str) -> None:
    """Neither in whole nor in part: log, status, metrics, answers, what goes up, and what `check` prints."""
    seen: list[str] = []
    with a_bridge("--callers-file", file, "--rate-limit", "8", provider=provider) as bridge:
        provider.clear()
        for token in TOKENS.values():
            for headers in (
                {"authorization": f"Bearer {token}"},
                {"authorization": f"Token {token}"},
                {"x-api-key": token},
                {"api-key": token},
                {"x-aibridge-token": token},
                {"x-aibridge-token": token, "authorization": f"Bearer {OWN}"},
                {"x-aibridge-token": TOKENS["dev-07"], "x-api-key": token},
            ):
                for method, path in (("POST", CHAT), ("POST", MESSAGES), ("GET", "/"), ("GET", "/openai/v1/no")):
                    answer = bridge.caller.request(method, path, json=UNARY, headers=headers)
                    seen += [str(answer.headers), answer.text]
        seen += [bridge.admin.get(path).text for path in ("/status", "/metrics")]
        seen.append(json.dumps(provider.stats()))
        names = {line["caller"] for line in bridge.requests(100)}
    seen.append(bridge.process.stderr)
    checked = run("check", "--callers-file", file)
    seen += [checked.stdout, checked.stderr]
    listed = run("token", "list", "--callers-file", file)
    seen += [listed.stdout, listed.stderr]
    assert {"dev-07", "limited", "127.0.0.1"} <= names
    everything = "\n".join(seen)
    assert "dev-07" in everything
    for token in TOKENS.values():
        assert token[4:12] not in everything
        assert token[-8:] not in everything
        assert f"…{token[-4:]}" not in everything
