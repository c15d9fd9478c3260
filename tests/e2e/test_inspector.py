"""The MCP Inspector as a client of the running exchange.

Its exit codes: 0 good, 3 login needed, 5 tool error, 6 a schema that some clients would not understand.
"""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from demo.services import ROOT, Exchange

INSPECTOR = ROOT / "tests/npm/node_modules/.bin/mcp-inspector"
ERAS = pytest.mark.parametrize("era", ["legacy", "modern"])

# The demo world on a fresh database has these ids: the first study of Lifespan Lab, and Peter who is in it.
STUDY, PETER = 30001, 40001
CALLS: dict[str, dict[str, Any]] = {
    "get_study_count": {},
    "list_studies": {},
    "get_study_metadata": {"study_id": STUDY},
    "list_study_patients": {"study_id": STUDY},
    "search_patients": {"given": "Peter"},
    "get_patient_demographics": {"patient_id": PETER},
    "get_patient_date_range": {"patient_id": PETER},
    "count_patient_observations": {"patient_id": PETER},
    "count_study_observations": {"study_id": STUDY},
    "get_patient_observations": {"patient_id": PETER},
    "summarize_patient_observations": {"patient_id": PETER},
    "get_observation_series": {"patient_id": PETER, "data_type": "blood-pressure"},
    "get_glucose_metrics": {"patient_id": PETER},
    "find_data_gaps": {"study_id": STUDY, "data_type": "blood-pressure", "longer_than": "2 days"},
    "summarize_study_cohort": {"study_id": STUDY, "data_type": "heart-rate"},
    "get_my_access": {},
    "get_access_log": {"patient_id": PETER},
    "get_omh_schema": {"name": "blood-pressure"},
    "get_server_capabilities": {},
}

pytestmark = pytest.mark.skipif(not INSPECTOR.exists(), reason="make test could not install tests/npm")


class Inspector:
    """Asks a server; keeps its own files in a folder of the test."""

    def __init__(self, home: Path, *target: str) -> None:
        self.command = [str(INSPECTOR), "--cli", *target]
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        self.environment = {**os.environ, "HOME": str(home), "PATH": path}

    def __call__(self, *arguments: str) -> tuple[int, Any]:
        """The exit code, and the answer when there is one."""
        result = subprocess.run(
            [*self.command, "--quiet", *arguments],
            env=self.environment,
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        return result.returncode, json.loads(result.stdout) if result.stdout else result.stderr

    def call(self, tool: str, arguments: dict[str, Any], *options: str) -> tuple[int, Any]:
        return self(*options, "--method", "tools/call", "--tool-name", tool, "--tool-args-json", json.dumps(arguments))


def over_http(exchange: Exchange, home: Path, *headers: str) -> Inspector:
    return Inspector(home, exchange.mcp_url, "--transport", "http", "--stored-auth-only", *headers)


@pytest.fixture
def mary(exchange: Exchange, token_of: Callable[[str], str], tmp_path: Path) -> Inspector:
    return over_http(exchange, tmp_path, "--header", f"Authorization: Bearer {token_of('manager_mary')}")


@pytest.fixture
def mary_on_stdio(exchange: Exchange, tmp_path: Path) -> Inspector:
    """The Inspector starts the server as a host does, with an MCP token of Mary's."""
    variables = {
        "JHE_MCP_URL": exchange.mcp_url,
        "JHE_MCP_TOKEN": mcp_token(exchange, "manager_mary@example.com"),
        "PYTHON_KEYRING_BACKEND": "keyring.backends.fail.Keyring",
        "XDG_DATA_HOME": str(tmp_path),
    }
    settings = [part for name, value in variables.items() for part in ("-e", f"{name}={value}")]
    return Inspector(tmp_path, *settings, sys.executable, "-m", "mcp_server", "stdio", "--transport", "stdio")


@ERAS
def test_every_tool_is_listed_with_schemas_that_every_client_understands(mary: Inspector, era: str) -> None:
    code, answer = mary("--protocol-era", era, "--method", "tools/list", "--strict")
    assert code == 0
    assert {tool["name"] for tool in answer["tools"]} == set(CALLS)


@ERAS
def test_tools_resources_and_prompts_answer_with_the_rights_of_who_asks(mary: Inspector, era: str) -> None:
    in_era = ("--protocol-era", era)
    code, answer = mary.call("list_studies", {}, *in_era)
    assert code == 0, answer
    assert {study["name"] for study in answer["structuredContent"]["studies"]} == {
        "Lifespan Study on BP & HR",
        "Lifespan Study on BP",
    }
    for method, rows in (
        ("resources/list", "resources"),
        ("resources/templates/list", "resourceTemplates"),
        ("prompts/list", "prompts"),
    ):
        code, answer = mary(*in_era, "--method", method)
        assert code == 0, answer
        assert answer[rows], method
    code, answer = mary(*in_era, "--method", "resources/read", "--uri", f"jhe://studies/{STUDY}")
    assert code == 0, answer
    assert json.loads(answer["contents"][0]["text"])["study_id"] == STUDY
    prompt = ("--prompt-name", "study_overview", "--prompt-args", f"study_id={STUDY}")
    code, answer = mary(*in_era, "--method", "prompts/get", *prompt)
    assert code == 0, answer
    assert str(STUDY) in answer["messages"][0]["content"]["text"]


def test_what_is_wrong_has_its_exit_code(exchange: Exchange, mary: Inspector, tmp_path: Path) -> None:
    assert mary.call("list_studies", {"nothing": 1})[0] == 5
    assert mary.call("get_study_metadata", {"study_id": 1})[0] == 5
    code, said = over_http(exchange, tmp_path)("--method", "tools/list")
    assert code == 3, said


@ERAS
def test_a_server_on_stdio_answers_the_same(mary_on_stdio: Inspector, mary: Inspector, era: str) -> None:
    in_era = ("--protocol-era", era)
    listed = ("--method", "tools/list")
    assert mary_on_stdio(*in_era, *listed) == mary(*in_era, *listed)
    arguments = {"study_id": STUDY}
    assert mary_on_stdio.call("get_study_metadata", arguments, *in_era) == mary.call(
        "get_study_metadata", arguments, *in_era
    )
    assert mary_on_stdio.call("get_study_metadata", {"study_id": 1}, *in_era)[0] == 5


def mcp_token(exchange: Exchange, email: str) -> str:
    """An MCP token of somebody's, for everything that they may read."""
    created = subprocess.run(
        [sys.executable, "manage.py", "mcp_token", "create", "--user", email],
        cwd=ROOT,
        env=exchange.environment,
        stdout=subprocess.PIPE,
        check=True,
    )
    [token] = re.findall(r"jhe_pat_[0-9A-Za-z]+", created.stdout.decode())
    return str(token)
