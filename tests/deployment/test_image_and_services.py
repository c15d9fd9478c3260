"""Dockerfile and fly.toml: every command, port, module, variable and path in them exists."""

import importlib.util
import json
import re
import shlex
import subprocess
import sys
import tomllib
from urllib.parse import urlsplit

import pytest
from django.core.management import get_commands
from dockerfile_parse import DockerfileParser

from demo.services import DEPLOYMENT, ROOT

STEPS = [(step["instruction"], step["value"]) for step in DockerfileParser(str(ROOT / "Dockerfile")).structure]
PROCESSES = DEPLOYMENT["processes"]
SERVICES = DEPLOYMENT["services"]
ENVIRONMENT = DEPLOYMENT["env"]


def values(instruction: str) -> list[str]:
    return [value for kind, value in STEPS if kind == instruction]


def python_commands() -> list[list[str]]:
    """What comes after `python` in every command of both files."""
    lines = [*PROCESSES.values(), DEPLOYMENT["deploy"]["release_command"], *values("RUN")]
    commands = [json.loads(value) for value in values("CMD")] + [shlex.split(line) for line in lines]
    return [command[command.index("python") + 1 :] for command in commands if "python" in command]


def copied() -> list[str]:
    """What the image takes from this repository."""
    return [name for value in values("COPY") if not value.startswith("--from") for name in value.split()[:-1]]


@pytest.mark.parametrize("arguments", python_commands(), ids=" ".join)
def test_every_command_exists(arguments: list[str]) -> None:
    if arguments[0] == "-m":
        assert importlib.util.find_spec(f"{arguments[1]}.__main__")
    else:
        assert arguments[0] == "manage.py"
        assert arguments[1] in get_commands()


@pytest.mark.parametrize("command", [command for command in python_commands() if len(command) > 2], ids=" ".join)
def test_every_subcommand_takes_these_arguments(command: list[str]) -> None:
    subprocess.run([sys.executable, *command, "--help"], cwd=ROOT, check=True, capture_output=True)


def test_the_image_starts_a_service_that_fly_starts_too() -> None:
    assert values("CMD") == [json.dumps(PROCESSES["web"].split())]


def test_each_process_but_the_worker_is_one_service_on_the_port_that_it_listens_on() -> None:
    ports = {service["processes"][0]: service["internal_port"] for service in SERVICES}
    assert ports == {"web": int(ENVIRONMENT["JHE_PORT"]), "mcp": int(ENVIRONMENT["MCP_PORT"])}
    assert {*ports, "worker"} == set(PROCESSES)
    assert values("EXPOSE") == [" ".join(map(str, ports.values()))]


def test_each_public_address_is_the_host_name_of_the_app_and_a_port_of_its_service() -> None:
    public = {
        service["processes"][0]: [port["port"] for port in service["ports"] if "tls" in port["handlers"]]
        for service in SERVICES
    }
    for process, variable in (("web", "JHE_BASE_URL"), ("mcp", "JHE_MCP_URL")):
        address = urlsplit(ENVIRONMENT[variable])
        assert (address.scheme, address.hostname) == ("https", f"{DEPLOYMENT['app']}.fly.dev")
        assert public[process] == [address.port or 443]


SETTINGS = "".join(
    (ROOT / file).read_text() for file in ("jhe/env.py", "mcp_server/settings.py", "mcp_server/process_settings.py")
)


def test_every_variable_is_one_that_a_service_reads() -> None:
    assert {name for name in ENVIRONMENT if f'"{name}"' not in SETTINGS} == set()


def test_every_setting_of_both_services_is_documented() -> None:
    spans = {"OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_HEADERS", "OTEL_SERVICE_NAME"}
    settings = {*re.findall(r'"([A-Z]+(?:_[A-Z]+)*)"', SETTINGS), *spans, "FORWARDED_ALLOW_IPS"} - {"MCP_"}
    for_services = set(re.findall(r"`([A-Z_]+)`", (ROOT / "docs/deploy.md").read_text()))
    for_people = set(re.findall(r"\b(JHE_[A-Z_]+)\b", (ROOT / "docs/stdio.md").read_text()))
    assert for_services | for_people == settings


def test_everything_copied_exists_and_docker_is_allowed_to_see_it() -> None:
    seen = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    assert set(copied()) == seen
    assert [name for name in copied() if not (ROOT / name).exists()] == []


def test_the_image_has_every_package_that_the_two_services_are_made_of() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    assert set(contracts["root_packages"]) <= set(copied())


def test_the_image_is_built_with_the_python_and_the_pipenv_of_everybody() -> None:
    python = tomllib.loads((ROOT / "Pipfile").read_text())["requires"]["python_version"]
    assert {value.split()[0] for value in values("FROM")} == {f"python:{python}-slim"}
    pipenv = re.search(r"PIPENV_VERSION := (.*)", (ROOT / "Makefile").read_text())
    assert pipenv
    assert any(f"pipenv=={pipenv[1]}" in value for value in values("RUN"))


def test_the_image_installs_by_hash_and_without_development_packages() -> None:
    (install,) = [value for value in values("RUN") if "pipenv sync" in value]
    assert "--dev" not in install
    lock = json.loads((ROOT / "Pipfile.lock").read_text())
    assert [name for name, package in lock["default"].items() if not package["hashes"]] == []


def test_the_image_does_not_run_as_root() -> None:
    user = values("USER")[-1]
    assert any(value.startswith("useradd") and value.endswith(f" {user}") for value in values("RUN"))
    assert STEPS.index(("USER", user)) < next(i for i, (kind, _) in enumerate(STEPS) if kind == "CMD")
