"""What every test may ask for: a database whose transactional tests can be cleaned, and the services' roles in it."""

from collections.abc import Iterable
from typing import Any

import hypothesis
import pytest
from django.db import connection, transaction
from pytest_django import DjangoDbBlocker
from xdist.scheduler import LoadScopeScheduling

from jhe import embedded
from tests.settings import DATA_DIR

pytest_plugins = ["tests.browser.fixtures"]

# How long a database takes says nothing about right or wrong.
hypothesis.settings.register_profile("project", deadline=None)
hypothesis.settings.load_profile("project")


_ONE_WORLD = {"browser", "conformance", "e2e", "glucose", "questions"}
"""Folders of tests whose world takes long to make: one process of a run makes it, once."""


class Together(LoadScopeScheduling):
    """What one process of several is given as a whole: a file, or a folder with a world of its own."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        folder = file.removeprefix("tests/").partition("/")[0]
        return folder if folder in _ONE_WORLD else file


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Together:
    return Together(config, log)


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> None:
    """A transactional test ends with TRUNCATE, which the append-only tables refuse: here, and only here, they allow it.

    Triggers do not fire for the role of a replica, so this is how PostgreSQL itself copies tables that refuse changes.
    """

    def flush(statements: Iterable[str]) -> None:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SET LOCAL session_replication_role = replica")
            for statement in statements:
                cursor.execute(statement)

    with django_db_blocker.unblock():
        connection.ops.execute_sql_flush = flush  # type: ignore[method-assign]


@pytest.fixture
def mcp_database_url(transactional_db: None) -> str:
    """The test database for the role of the MCP server, which sees what a test writes because it is committed."""
    return _database_url("jhe_mcp")


@pytest.fixture
def app_database_url(transactional_db: None) -> str:
    """The same for the role of the web service. Tests themselves are its owner, who has to clean up after them."""
    return _database_url("jhe_app")


def _database_url(role: str) -> str:
    url = embedded.database_url(DATA_DIR, user=role)
    return url.replace("/postgres?", f"/{connection.settings_dict['NAME']}?")
