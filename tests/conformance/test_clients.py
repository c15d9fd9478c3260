"""Our clients under the conformance suite's scenarios without a login; test_stdio_login.py has those with one."""

import json
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.conformance.suite import MILLISECONDS, MISSING, SUITE, command, environment

CLIENT = Path(__file__).with_name("client.py")
AT_A_TIME = 2

RUN = (
    ("initialize", "2025-11-25"),
    ("tools_call", "2025-06-18"),
    ("tools_call", "2025-11-25"),
    ("tools_call", "2026-07-28"),
    ("request-metadata", "2026-07-28"),
    ("http-standard-headers", "2026-07-28"),
    ("http-custom-headers", "2026-07-28"),
    ("http-invalid-tool-headers", "2026-07-28"),
    ("json-schema-ref-no-deref", "2026-07-28"),
    ("sep-2322-client-request-state", "2026-07-28"),
)
NOT_OURS = {
    "request-metadata": {"sep-2575-client-retry-supported-version"},
}
"""Exchanges speak the revision that our gateway speaks: there is no other to fall back to."""
NOT_RUN = {
    "elicitation-sep1034-client-defaults": "It shows no form of its own: the host that it serves does.",
    "json-schema-2020-12-preservation": "It calls what it was told to, and gives nobody's schema back.",
    "sse-retry": "It asks exchanges in 2026-07-28, which resumes no streams.",
    "sep-2640-client-no-prefetch": "It knows no skills, which are an extension.",
    "sep-2640-client-verify-digest": "It knows no skills.",
    "sep-2640-client-verify-frontmatter": "It knows no skills.",
    "sep-2640-client-verify-size": "It knows no skills.",
}

pytestmark = pytest.mark.skipif(not SUITE.exists(), reason=MISSING)


def faults(folder: Path) -> set[str]:
    """What did not succeed. What the client never does is skipped by the suite itself."""
    [checks] = folder.rglob("checks.json")
    return {check["id"] for check in json.loads(checks.read_text()) if check["status"] in ("FAILURE", "WARNING")}


def test_what_fails_is_what_our_clients_never_do(tmp_path: Path) -> None:
    def run(pair: tuple[str, str]) -> set[str]:
        (scenario, revision), folder = pair, tmp_path / "-".join(pair)
        client = [f"--command={sys.executable} {CLIENT}", f"--timeout={MILLISECONDS}", f"--output-dir={folder}"]
        subprocess.run(
            command("client", *client, f"--scenario={scenario}", f"--spec-version={revision}"),
            env=environment(),
            stdout=subprocess.DEVNULL,
            check=False,
        )
        return faults(folder)

    with ThreadPoolExecutor(AT_A_TIME) as runs:
        found = dict(zip(RUN, runs.map(run, RUN), strict=True))
    assert {pair[0]: failed for pair, failed in found.items() if failed} == NOT_OURS


def test_every_scenario_without_a_login_is_run_or_listed() -> None:
    listing = subprocess.run(command("list"), env=environment(), capture_output=True, text=True, check=True).stdout
    of_clients = listing.partition("Client scenarios")[2].partition("Authorization server scenarios")[0]
    scenarios = {name for name in re.findall(r"- (\S+)", of_clients) if not name.startswith("auth/")}
    assert {scenario for scenario, _ in RUN} | set(NOT_RUN) == scenarios
