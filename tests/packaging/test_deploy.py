"""The units, manifests and Containerfile of deploy/ say what the program does: flags, ports, paths, times."""

from __future__ import annotations

import re
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from aibridge_trio import __version__
from aibridge_trio.config.loader import load
from aibridge_trio.config.settings import CONFIG, OPTIONS, Settings
from aibridge_trio.config.store_url import store_address
from aibridge_trio.core.sharing.ledger import Ledger
from tests.support.manifests import documents
from tests.support.random_batches import STEPS, Run, Step
from tests.support.redis_servers import RedisServer, running
from tests.support.resp import RespClient, RespError
from tests.support.scripted import ScriptedStore
from tests.support.shells import needed

ROOT = Path(__file__).parents[2]
UNITS = ROOT / "deploy" / "systemd"
MANIFESTS = ROOT / "deploy" / "kubernetes"
FLAGS = {option.flag for option in (CONFIG, *OPTIONS)}
# The bridge waits this long at the end for its log's reader, and settles before that (seconds).
MARGIN = 5


def unit(name: str) -> dict[str, list[str]]:
    """Return the assignments of a unit: values by key, in order."""
    found: dict[str, list[str]] = {}
    for line in (UNITS / name).read_text().splitlines():
        if line and line[0] not in "#[":
            key, _, value = line.partition("=")
            found.setdefault(key, []).append(value)
    return found


def manifest(name: str) -> Any:
    """Return the only document of a manifest."""
    [document] = documents(MANIFESTS / f"{name}.yaml")
    return document


def seconds(text: str) -> float:
    """Return `60s` or `1min` as seconds."""
    number, name = re.fullmatch(r"(\d+)(s|min)", text).groups()  # type: ignore[union-attr]
    return int(number) * {"s": 1, "min": 60}[name]


# systemd


@pytest.mark.parametrize("name", ["aibridge.service", "aibridge@.service"])
def test_a_units_flags_are_the_programs(name: str) -> None:
    """ExecStart is a command line of this version, and the unit waits for a drain with its default times."""
    service = unit(name)
    [start] = service["ExecStart"]
    program, command, *words = start.split()
    assert (program, command) == ("/usr/local/bin/aibridge", "serve")
    assert {word.partition("=")[0] for word in words if word.startswith("--")} <= FLAGS
    default = Settings()
    assert seconds(service["TimeoutStopSec"][0]) > default.drain_delay + default.graceful_timeout + MARGIN
    variables = {assignment.partition("=")[0] for assignment in service["Environment"]}
    assert variables <= {name for option in OPTIONS for name in option.all_variables}
    assert service["LimitCORE"] == ["0"]  # a filter of system calls may keep the program from setting it


def test_the_socket_is_for_callers_at_the_default_address() -> None:
    """Its name is the one that the bridge looks for; the service takes it."""
    socket, service = unit("aibridge.socket"), unit("aibridge.service")
    assert socket["FileDescriptorName"] == ["callers"]
    assert socket["ListenStream"] == [str(Settings().bind[0])]
    assert service["Sockets"] == ["aibridge.socket"]
    assert "Accept" not in socket  # one service for all connections


def test_the_service_is_notified_watched_and_reloaded() -> None:
    """The lines that belong to the protocol that the bridge speaks."""
    service = unit("aibridge.service")
    assert service["Type"] == ["notify"]
    assert service["ExecReload"] == ["kill -HUP $MAINPID"]
    assert "WatchdogSec" in service


def test_the_instances_for_a_hand_over_differ_in_their_admin_port_only() -> None:
    """The sandbox of both units is one."""
    one, many = unit("aibridge.service"), unit("aibridge@.service")
    differing = {key for key in one.keys() | many.keys() if one.get(key) != many.get(key)}
    assert differing == {"Description", "ExecStart", "User", "Also"}
    [start] = many["ExecStart"]
    assert start.replace(" --admin-bind 127.0.0.1:%i", "") == one["ExecStart"][0]


@pytest.mark.parametrize("name", ["aibridge.service", "aibridge.socket", "aibridge@.service"])
def test_systemd_understands_each_line(name: str, tmp_path: Path) -> None:
    """`systemd-analyze verify` says nothing, and the sandbox is rated as safe."""
    analyze = needed("systemd-analyze")
    program = tmp_path / "aibridge"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    for file in UNITS.iterdir():
        text = file.read_text().replace("/usr/local/bin/aibridge", str(program))
        (tmp_path / file.name).write_text(text)
    verified = subprocess.run(
        [analyze, "verify", "--man=no", str(tmp_path / name)],
        capture_output=True,
        text=True,
        check=False,
    )
    ours = [line for line in verified.stderr.splitlines() if "aibridge" in line]
    assert not ours
    if name == "aibridge.service":
        rated = subprocess.run(
            [analyze, "security", "--offline=yes", "--threshold=15", str(tmp_path / name)],
            capture_output=True,
            text=True,
            check=False,
        )
        assert rated.returncode == 0, rated.stdout[-300:]


# Kubernetes


def test_the_configuration_is_valid(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the secrets' files, whose paths are where the pod mounts them."""
    settings = the_settings(tmp_path)
    assert settings.exposed()
    assert settings.admin_token


def the_settings(folder: Path) -> Settings:
    """Load the ConfigMap's file."""
    text = manifest("configmap")["data"]["aibridge.toml"]
    [mount] = [each for each in container()["volumeMounts"] if each["name"] == "secrets"]
    for name, secret in manifest("secret.example")["stringData"].items():
        (folder / name).write_text(secret)
    file = folder / "aibridge.toml"
    file.write_text(text.replace(mount["mountPath"], str(folder)))
    assert text != file.read_text()
    environ = {each["name"]: each["value"].replace(mount["mountPath"], str(folder)) for each in container()["env"]}
    return load({"config": str(file)}, environ).settings


def pod() -> Any:
    return manifest("deployment")["spec"]["template"]


def container() -> Any:
    [found] = pod()["spec"]["containers"]
    return found


def test_ports_and_probes_are_the_programs(tmp_path: Path) -> None:
    """Names and numbers of ports, paths of health, and where the file is."""
    settings = the_settings(tmp_path)
    ports = {port["name"]: port["containerPort"] for port in container()["ports"]}
    [callers] = settings.bind
    assert ports == {"callers": callers.port, "admin": settings.admin_bind.port}  # type: ignore[union-attr]
    probes = {name: each["httpGet"] for name, each in container().items() if name.endswith("Probe")}
    assert probes == {
        "startupProbe": {"path": "/readyz", "port": "admin"},
        "readinessProbe": {"path": "/readyz", "port": "admin"},
        "livenessProbe": {"path": "/healthz", "port": "admin"},
    }
    assert container()["args"] == ["serve", "--config=/etc/aibridge/aibridge.toml"]
    assert container()["image"].endswith(f":{__version__}")
    assert {"name": "config", "mountPath": "/etc/aibridge", "readOnly": True} in container()["volumeMounts"]


# The store of the replicas


def the_store() -> dict[str, Any]:
    """Return the documents of redis.yaml by kind."""
    return {document["kind"]: document for document in documents(MANIFESTS / "redis.yaml")}


def test_the_replicas_have_one_store(tmp_path: Path) -> None:
    """Its Service's name and port are in the secret's URL, with the password of its user, who has the prefix."""
    settings = the_settings(tmp_path)
    assert settings.store
    address = store_address(settings.store)
    store = the_store()
    [port] = store["Service"]["spec"]["ports"]
    assert address.hosts == ((store["Service"]["metadata"]["name"], port["port"]),)
    users = manifest("store-users.example")["stringData"]["users.acl"].splitlines()
    [user] = [line.split() for line in users if line.startswith(f"user {address.user} on ")]
    assert f">{address.password}" in user
    assert f"~{{{settings.store_prefix}}}*" in user
    assert f"&{{{settings.store_prefix}}}:*" in user
    assert "user default off" in users
    labels = store["StatefulSet"]["spec"]["template"]["metadata"]["labels"]
    assert store["StatefulSet"]["spec"]["selector"]["matchLabels"] == labels
    assert store["Service"]["spec"]["selector"] == labels
    assert store["NetworkPolicy"]["spec"]["podSelector"]["matchLabels"] == labels
    [rule] = store["NetworkPolicy"]["spec"]["ingress"]
    assert rule["from"] == [{"podSelector": {"matchLabels": pod()["metadata"]["labels"]}}]


def test_the_store_never_evicts_and_keeps_budgets() -> None:
    """As docs/operate/store.md says; within its memory, and as a user without rights."""
    store = the_store()
    conf = store["ConfigMap"]["data"]["store.conf"].splitlines()
    page = (ROOT / "docs" / "operate" / "store.md").read_text()
    for line in (
        "maxmemory 256mb",
        "maxmemory-policy noeviction",
        "appendonly yes",
        "appendfsync everysec",
        'save ""',
    ):
        assert line in conf
        assert f"{line}\n" in page
    spec = store["StatefulSet"]["spec"]["template"]["spec"]
    [container] = spec["containers"]
    assert int(container["resources"]["limits"]["memory"].removesuffix("Mi")) > 2 * 256
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["automountServiceAccountToken"] is False
    assert container["securityContext"] == {
        "readOnlyRootFilesystem": True,
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
    }
    mounts = {each["name"]: each["mountPath"] for each in container["volumeMounts"]}
    assert f"dir {mounts['data']}" in conf
    assert f"aclfile {mounts['users']}/users.acl" in conf
    assert container["command"] == ["valkey-server", f"{mounts['config']}/store.conf"]


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS)
def test_the_users_rights_are_enough_for_the_script(
    steps: list[Step], store_server: RedisServer, store_user: RespClient
) -> None:
    """Whatever batches there are, no command of it is one too many."""
    store_server.call("FLUSHALL")
    store, ledger, run = ScriptedStore(store_user, "aibridge"), Ledger(), Run()
    for step in steps:
        batch = run.batch(step)
        store.run(batch, run.now)
        run.note(batch, ledger.run(batch, run.now))


def test_the_user_may_nothing_else(store_user: RespClient) -> None:
    """Neither other keys nor commands that tell or change settings; the line is the page's."""
    for words in (
        "GET other",
        "CONFIG GET *",
        "KEYS *",
        "FLUSHALL",
        "ACL LIST",
        "EVAL return 0",
        "SUBSCRIBE other",
    ):
        with pytest.raises(RespError, match="NOPERM"):
            store_user.call(*words.split())
    [line] = [each for each in users_lines() if each.startswith("user aibridge on ")]
    page = (ROOT / "docs" / "operate" / "store.md").read_text()
    assert f"\n{line.replace('replace-me-as-well', 'PASSWORD')}\n" in page


def users_lines() -> list[str]:
    """Return the lines of users.acl."""
    text: str = manifest("store-users.example")["stringData"]["users.acl"]
    return text.splitlines()


@pytest.fixture(scope="module")
def store_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """A real server with the user of users.acl."""
    file = tmp_path_factory.mktemp("store") / "users.acl"
    # The server's default user stays, for the tests' own connection.
    file.write_text("\n".join(line for line in users_lines() if not line.startswith("user default")) + "\n")
    with running(options=("--aclfile", str(file))) as server:
        yield server


@pytest.fixture(scope="module")
def store_user(store_server: RedisServer) -> Iterator[RespClient]:
    """A connection as that user."""
    with store_server.client() as client:
        client.call("AUTH", "aibridge", "replace-me-as-well")
        yield client


def test_a_rollout_takes_no_replica_away_and_all_are_found_by_name() -> None:
    """Three replicas; the headless Service has also those that drain, at the port that it says."""
    spec = manifest("deployment")["spec"]
    assert spec["replicas"] == 3
    assert spec["strategy"]["rollingUpdate"] == {"maxUnavailable": 0, "maxSurge": 1}
    headless = manifest("service-headless")["spec"]
    assert headless["clusterIP"] == "None"
    assert headless["publishNotReadyAddresses"] is True
    assert headless["selector"] == pod()["metadata"]["labels"]
    [port] = headless["ports"]
    assert {"name": "admin", "containerPort": port["port"]} in container()["ports"]


def test_a_pod_has_the_time_that_a_drain_takes(tmp_path: Path) -> None:
    """It is ended later than the bridge ends by itself; endpoints are updated while requests are served."""
    settings = the_settings(tmp_path)
    drain = settings.drain_delay + settings.graceful_timeout
    program, before_the_signal = container()["lifecycle"]["preStop"]["exec"]["command"]
    assert program == "sleep"
    assert pod()["spec"]["terminationGracePeriodSeconds"] >= int(before_the_signal) + drain + MARGIN
    assert settings.drain_delay > container()["readinessProbe"]["periodSeconds"]


def test_selectors_name_the_pods() -> None:
    """Of the service, the monitor, the policy and the budget; each refers to ports that there are."""
    labels = pod()["metadata"]["labels"]
    assert manifest("deployment")["spec"]["selector"]["matchLabels"] == labels
    assert manifest("service")["spec"]["selector"] == labels
    for name in ("podmonitor", "poddisruptionbudget"):
        assert manifest(name)["spec"]["selector"]["matchLabels"] == labels
    policy = manifest("networkpolicy")["spec"]
    assert policy["podSelector"]["matchLabels"] == labels
    assert [rule["ports"] for rule in policy["ingress"]] == [[{"port": "callers"}], [{"port": "admin"}]]
    assert manifest("service")["spec"]["ports"] == [{"name": "callers", "port": 80, "targetPort": "callers"}]
    [scraped] = manifest("podmonitor")["spec"]["podMetricsEndpoints"]
    assert (scraped["port"], scraped["path"]) == ("admin", "/metrics")
    assert scraped["authorization"]["credentials"]["key"] in manifest("secret.example")["stringData"]


def test_a_pod_has_no_rights_that_it_does_not_need() -> None:
    """Not root, no capability, nothing to write, no token of the cluster."""
    spec = pod()["spec"]
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["automountServiceAccountToken"] is False
    assert container()["securityContext"] == {
        "readOnlyRootFilesystem": True,
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
    }


# The container


def test_the_containerfile_is_pinned_and_not_root() -> None:
    """Versions of base images and packages; a user by number, which Kubernetes can check."""
    text = (ROOT / "Containerfile").read_text()
    images = re.findall(r"^FROM (\S+)", text, re.MULTILINE)
    assert len(images) == 2
    assert all(re.search(r":\d+\.\d+\.\d+-", image) for image in images)
    python = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["requires-python"]
    assert all(f":{python.removeprefix('>=')}." in image for image in images)
    assert re.findall(r"^USER (\S+)", text, re.MULTILINE) == ["65532:65532"]
    installs = re.findall(r"pip install (.*?)(?: \\)?$", text, re.MULTILINE)
    assert all("--require-hashes" in each or "--no-index" in each for each in installs)
    for copied in re.findall(r"^COPY (?!--from)(.+)$", text, re.MULTILINE):
        assert all((ROOT / name).exists() for name in copied.split()[:-1]), copied
    [command] = re.findall(r"^CMD \[(.*)\]", text, re.MULTILINE)
    words = re.findall(r'"([^"]*)"', command)
    assert words[0] == "serve"
    assert {word for word in words if word.startswith("--")} <= FLAGS
