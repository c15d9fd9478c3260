"""manage.py on a database that nothing was migrated into."""

import os
import subprocess
import sys
from pathlib import Path

from demo.services import ROOT
from jhe import embedded
from tests.settings import DATA_DIR


def test_a_command_before_the_first_migration_says_what_to_do() -> None:
    # The tests' own tables are in another database of the same server.
    environment = {**os.environ, "DATABASE_URL": embedded.database_url(DATA_DIR), "DEBUG": "true"}
    result = subprocess.run(
        [sys.executable, "manage.py", "dev_token", "manager_mary@example.com"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr.startswith("This database lacks tables: run `manage.py migrate`")
    assert result.stderr.count("\n") == 1


def test_the_same_where_not_even_the_role_of_the_services_is_there(tmp_path: Path) -> None:
    """In development, on a PostgreSQL that this command is the first to start."""
    here = {name: value for name, value in os.environ.items() if name not in ("DATABASE_URL", "DJANGO_SETTINGS_MODULE")}
    result = subprocess.run(
        [sys.executable, "manage.py", "dev_token", "manager_mary@example.com"],
        cwd=ROOT,
        env={**here, "JHE_DATA_DIR": str(tmp_path / "data"), "DEBUG": "true"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr.startswith("This database lacks tables: run `manage.py migrate`")
    assert result.stderr.count("\n") == 1
