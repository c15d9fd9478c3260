"""The conformance suite of MCP (npm), and what it found."""

import json
import os
import sys
from pathlib import Path

from demo.services import ROOT

SUITE = ROOT / "tests/npm/node_modules/@modelcontextprotocol/conformance/dist/index.js"
MISSING = "make test could not install tests/npm"
MILLISECONDS = 300_000
"""That a scenario may take on a busy machine, the wait for its turn included."""
_STARTED = len("-2026-07-28T00-00-00-000Z")
"""A folder of results is named by its scenario and the time."""


def command(*arguments: str) -> list[str]:
    return [str(Path(sys.executable).with_name("node")), str(SUITE), *arguments]


def environment() -> dict[str, str]:
    """No keyring: the login of a test is nobody's."""
    return {**os.environ, "PYTHONPATH": str(ROOT), "PYTHON_KEYRING_BACKEND": "keyring.backends.fail.Keyring"}


def faults(results: Path) -> dict[str, set[str]]:
    """The checks that did not succeed, by scenario. A warning is one, too: it is a SHOULD of MCP."""
    return {
        str(checks.parent.relative_to(results))[:-_STARTED]: {
            check["id"] for check in json.loads(checks.read_text()) if check["status"] not in ("SUCCESS", "INFO")
        }
        for checks in results.rglob("checks.json")
    }
