"""The MCP Inspector as a client of the running exchange.

Its exit codes: 0 good, 3 login needed, 5 tool error, 6 a schema that some clients would not understand.
"""

import json
import os
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
    "get_patient_observations": {"patient_id": PETER},
    "get_glucose_metrics": {"patient_id": PETER},
}

pytestmark = pytest.mark.skipif(not INSPECTOR.exists(), reason="make test could not install tests/npm")


class Inspector:
    """Asks the exchange with somebody's token; keeps its own files in a folder of the test."""

    def __init__(self, exchange: Exchange, home: Path, token: str | None) -> None:
        self.command = [str(INSPECTOR), "--cli", exchange.mcp_url, "--transport", "http", "--stored-auth-only"]
        if token:
            self.command += ["--header", f"Authorization: Bearer {token}"]
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        self.environment = {**os.environ, "HOME": str(home), "PATH": path}

    def __call__(self, *arguments: str) -> tuple[int, Any]:
        """The exit code, and the answer when there is one."""
        result = subprocess.run(
            [*self.command, "--quiet", *arguments],
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        return result.returncode, json.loads(result.stdout) if result.stdout else result.stderr


@pytest.fixture
def mary(exchange: Exchange, token_of: Callable[[str], str], tmp_path: Path) -> Inspector:
    return Inspector(exchange, tmp_path, token_of("manager_mary"))


@ERAS
def test_every_tool_is_listed_with_schemas_that_every_client_understands(mary: Inspector, era: str) -> None:
    code, answer = mary("--protocol-era", era, "--method", "tools/list", "--strict")
    assert code == 0
    assert {tool["name"] for tool in answer["tools"]} == set(CALLS)


@pytest.mark.parametrize("tool", CALLS)
def test_every_tool_answers(mary: Inspector, tool: str) -> None:
    arguments = json.dumps(CALLS[tool])
    code, answer = mary("--method", "tools/call", "--tool-name", tool, "--tool-args-json", arguments)
    assert code == 0, answer
    assert answer["structuredContent"]


@ERAS
def test_an_answer_has_the_rights_of_who_asks(mary: Inspector, era: str) -> None:
    code, answer = mary("--protocol-era", era, "--method", "tools/call", "--tool-name", "list_studies")
    assert code == 0
    assert {study["name"] for study in answer["structuredContent"]["studies"]} == {
        "Lifespan Study on BP & HR",
        "Lifespan Study on BP",
    }


def test_an_argument_that_does_not_exist_is_a_tool_error(mary: Inspector) -> None:
    code, _ = mary("--method", "tools/call", "--tool-name", "list_studies", "--tool-args-json", '{"nothing": 1}')
    assert code == 5


def test_without_a_token_it_says_that_a_login_is_needed(exchange: Exchange, tmp_path: Path) -> None:
    code, said = Inspector(exchange, tmp_path, token=None)("--method", "tools/list")
    assert code == 3, said
