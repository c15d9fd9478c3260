"""The services run as roles that own nothing; whatever else these tests ask of them, they answer as those roles."""

import re
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

import httpx2
import psycopg2
import pytest

from core.seed.demo_world import PASSWORD, SUPERUSER
from demo.services import Exchange
from jhe import embedded


@contextmanager
def owner(exchange: Exchange) -> Iterator[Any]:
    with closing(psycopg2.connect(embedded.database_url(exchange.data_dir))) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            yield cursor


@pytest.fixture(scope="module")
def admin(exchange: Exchange) -> Iterator[httpx2.Client]:
    """The superuser's browser."""
    with httpx2.Client(base_url=exchange.web_url, follow_redirects=True) as browser:
        send(browser, "/accounts/login/", login=SUPERUSER, password=PASSWORD)
        assert f"sessionid_{browser.base_url.port}" in browser.cookies
        yield browser


def send(browser: httpx2.Client, path: str, **fields: str) -> httpx2.Response:
    """Open a page and send the form on it."""
    page = browser.get(path)
    assert page.is_success, path
    token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page.text)
    assert token
    answer = browser.post(
        str(page.url), data={**fields, "csrfmiddlewaretoken": token[1]}, headers={"Referer": str(page.url)}
    )
    assert answer.is_success, answer.status_code
    return answer


def test_the_admin_adds_changes_and_deletes_as_a_role_that_owns_nothing(
    exchange: Exchange, admin: httpx2.Client
) -> None:
    organization = {"name": "Roles Lab", "type": "laboratory", "part_of": "0"}
    send(admin, "/admin/core/organization/add/", **organization)
    with owner(exchange) as cursor:
        cursor.execute("SELECT id FROM core_organization WHERE name = 'Roles Lab'")
        (id_,) = cursor.fetchone()
        send(admin, f"/admin/core/organization/{id_}/change/", **{**organization, "name": "Roles"})
        send(admin, f"/admin/core/organization/{id_}/delete/", post="yes")
        cursor.execute("SELECT count(*) FROM core_organization WHERE id = %s", [id_])
        assert cursor.fetchone() == (0,)
    assert admin.get("/admin/core/auditevent/").is_success


def test_the_connections_of_the_services_are_those_of_their_roles(exchange: Exchange, admin: httpx2.Client) -> None:
    assert admin.get("/admin/").is_success
    with owner(exchange) as cursor:
        cursor.execute(
            "SELECT DISTINCT usename FROM pg_stat_activity "
            "WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
        )
        connected = {name for (name,) in cursor}
    assert "jhe_app" in connected
    assert connected <= {"jhe_app", "jhe_mcp"}


def test_the_exchange_can_be_sealed_and_verified_as_that_role(exchange: Exchange) -> None:
    exchange.manage("seal_audit")
    exchange.manage("verify_audit")


def test_the_log_says_nothing_of_a_role_that_could_change_the_trail(exchange: Exchange) -> None:
    assert "core.W002" not in exchange.log("web").read_text()
