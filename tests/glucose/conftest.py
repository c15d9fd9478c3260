"""iglu as the reference, and a way to ask the MCP server for metrics of what was imported."""

import csv
import io
import json
import os
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone
from oauth2_provider.models import AccessToken

from core.importers import BLOOD_GLUCOSE
from core.models import Study
from core.oauth.claims import claims_of
from core.policy.claims import principal_from
from mcp_server.auth.caller import Caller
from mcp_server.backends.direct import Direct
from mcp_server.database import Database
from mcp_server.tools import TOOLS
from tests.factories import CodeFactory, MembershipFactory, StudyFactory

ROOT = Path(__file__).parents[2]
R_LIBRARY = ROOT / ".venv/R"
CGM_FILES = ROOT.parent / "shared/data/cgm"

Row = tuple[str, str, float]
"""Whose reading, its local time, and its value in mg/dL."""


@pytest.fixture(scope="session")
def cgm_files() -> Path:
    """The folder of real CGM files."""
    if not CGM_FILES.is_dir():
        pytest.skip("the real CGM files are not in ../shared/data/cgm")
    return CGM_FILES


@pytest.fixture(scope="session")
def iglu() -> Callable[[Iterable[Row]], dict[str, dict[str, Any]]]:
    """iglu's metrics by person."""
    if not (R_LIBRARY / "iglu").is_dir():
        pytest.skip("iglu is not installed: it needs R, then `make test` installs it (tests/glucose/install_iglu.sh)")
    environment = {**os.environ, "R_LIBS": str(R_LIBRARY), "RPY2_CFFI_MODE": "ABI", "TZ": "UTC"}

    def metrics(rows: Iterable[Row]) -> dict[str, dict[str, Any]]:
        table = io.StringIO()
        csv.writer(table).writerows([("id", "time", "gl"), *rows])
        command = [sys.executable, str(ROOT / "tests/glucose/iglu_reference.py")]
        printed = subprocess.run(
            command, env=environment, input=table.getvalue(), text=True, stdout=subprocess.PIPE, check=True
        )
        found: dict[str, dict[str, Any]] = json.loads(printed.stdout)
        return found

    return metrics


@pytest.fixture
def study(transactional_db: None) -> Study:
    """It requests blood glucose."""
    found: Study = StudyFactory(scopes=[CodeFactory(coding_code=BLOOD_GLUCOSE)])
    return found


@pytest.fixture
def ask(study: Study, mcp_database_url: str) -> Callable[..., Awaitable[dict[str, Any]]]:
    """get_glucose_metrics, as a viewer of the study calls it."""
    user = MembershipFactory(organization=study.organization).practitioner.user
    hour = timezone.now() + timedelta(hours=1)
    token = AccessToken.objects.create(user=user, token="of the viewer", expires=hour, scope="mcp")
    principal = principal_from({"sub": str(user.pk), "scope": "mcp", **claims_of(user)}, token_key=token.token_checksum)

    async def caller(_context: object) -> Caller:
        return Caller(principal, "127.0.0.1")

    async def ask(**arguments: Any) -> dict[str, Any]:
        async with Database(mcp_database_url, size=1, wait=5, statement_timeout=30) as database:
            result = await Direct(database, caller).call(TOOLS["get_glucose_metrics"], arguments, None)
        assert not result.is_error, result.content
        answer: dict[str, Any] = result.structured_content
        return answer

    return ask
