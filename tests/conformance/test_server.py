"""Our server under the conformance suite: everything that each revision requires of servers, and what is not scored."""

import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from demo.services import ROOT
from tests.conformance.suite import MISSING, SUITE, command, environment, faults
from tests.ports import free_ports

TASKS = {
    "tasks-capability-negotiation",
    "tasks-dispatch-and-envelope",
    "tasks-lifecycle",
    "tasks-mrtr-composition",
    "tasks-mrtr-input",
    "tasks-request-headers",
    "tasks-request-state-removal",
    "tasks-required-task-error",
    "tasks-status-notifications",
    "tasks-wire-fields",
}
"""They do not apply: tasks are an extension, and no question of ours takes so long."""

pytestmark = pytest.mark.skipif(not SUITE.exists(), reason=MISSING)


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    port, _ = free_ports()
    with (tmp_path_factory.mktemp("server") / "log").open("w") as log:
        process = subprocess.Popen([sys.executable, "-m", "tests.conformance.server", str(port)], cwd=ROOT, stderr=log)
        try:
            until_it_answers(port)
            yield f"http://localhost:{port}/mcp"
        finally:
            process.terminate()
            process.wait()


def until_it_answers(port: int) -> None:
    for _ in range(600):
        try:
            httpx2.get(f"http://127.0.0.1:{port}/mcp")
        except httpx2.TransportError:
            time.sleep(0.1)
        else:
            return
    pytest.fail("the fixture server did not start")


@pytest.mark.parametrize("revision", ["2025-11-25", "2026-07-28"])
def test_every_scenario_that_a_revision_requires_passes(url: str, revision: str, tmp_path: Path) -> None:
    run = subprocess.run(
        command("server", f"--url={url}", f"--requirements={revision}", f"--output-dir={tmp_path}"),
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout
    found = results(tmp_path)
    assert {name: failed for name, failed in found.items() if failed and name not in TASKS} == {}
    assert len(found) > 30


@pytest.mark.parametrize("revision", ["2025-06-18"])
def test_clients_of_an_older_revision_are_served_as_it_says(url: str, revision: str, tmp_path: Path) -> None:
    subprocess.run(
        command("server", f"--url={url}", "--suite=all", f"--spec-version={revision}", f"--output-dir={tmp_path}"),
        env=environment(),
        stdout=subprocess.DEVNULL,
        check=False,
    )
    found = results(tmp_path)
    assert {name: failed for name, failed in found.items() if failed} == {}
    assert len(found) > 20


def results(folder: Path) -> dict[str, set[str]]:
    return {re.sub("^server-", "", name, count=1): failed for name, failed in faults(folder).items()}
