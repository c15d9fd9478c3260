"""Every route and method of the REST door, asked by everybody, answers as tests/api/matrix.py says."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import orjson
import pytest
from django.db import transaction
from django.test import Client, override_settings
from django.urls import resolve
from pytest_django import DjangoDbBlocker

from core.api.urls import urlpatterns
from core.api.views import NoSuchRoute
from core.oauth.scopes import PLAIN
from tests.api.matrix import MATRIX, OPEN, PEOPLE, Row, ids_of_the_world
from tests.bearer import client_of
from tests.personas import seed_demo_world, user_of

pytestmark = pytest.mark.django_db

METHODS = ("get", "post", "put", "patch", "delete")


@dataclass(frozen=True)
class World:
    clients: dict[str, Client]
    ids: dict[str, int]

    def path(self, row: Row) -> str:
        return f"/api/v1/{row.path}".format(**self.ids)

    def route(self, row: Row) -> str:
        return resolve(self.path(row).partition("?")[0]).route

    def filled(self, part: Any) -> Any:
        """A body with the ids of this world in its braces."""
        if isinstance(part, dict):
            return {name: self.filled(inner) for name, inner in part.items()}
        if isinstance(part, list):
            return [self.filled(inner) for inner in part]
        return part.format(**self.ids) if isinstance(part, str) else part

    def status(self, row: Row, client: Client) -> int:
        """Of one request, whose effects are undone."""
        with transaction.atomic():
            answer = client.generic(row.method, self.path(row), content_type="application/json", data=self.body(row))
            transaction.set_rollback(True)
        return answer.status_code

    def body(self, row: Row) -> bytes:
        return orjson.dumps(self.filled(row.body)) if row.body else b""


@pytest.fixture(scope="module")
def world(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[World]:
    """One for all rows: seeding it takes longer than many requests."""
    with (
        django_db_blocker.unblock(),
        transaction.atomic(),
        override_settings(RATE_LIMIT="9999/s", ANONYMOUS_RATE_LIMIT="9999/s"),
    ):
        seed_demo_world()
        clients = {name: client_of(user_of(persona)) for name, persona in PEOPLE.items()}
        yield World(clients, ids_of_the_world())
        transaction.set_rollback(True)


def routes() -> set[tuple[str, str]]:
    """(method, route) of everything that the REST door serves."""
    views = [(pattern.pattern, pattern.callback.view_class) for pattern in urlpatterns]
    return {
        (method.upper(), f"api/v1/{route}")
        for route, view in views
        if view is not NoSuchRoute
        for method in METHODS
        if hasattr(view, method)
    }


def test_every_route_and_method_has_its_row_and_every_row_its_route(world: World) -> None:
    assert {(row.method, world.route(row)) for row in (*MATRIX, *OPEN)} == routes()


def test_every_method_of_every_view_declares_what_its_token_must_be_for() -> None:
    for pattern in urlpatterns:
        for method in METHODS:
            if handler := getattr(pattern.callback.view_class, method, None):
                is_open = not pattern.callback.view_class.authentication_classes
                is_named = handler.operation.scope in PLAIN
                assert handler.operation.scope.count(".") == (0 if is_open or is_named else 1), pattern


@pytest.mark.parametrize("row", [*MATRIX, *OPEN], ids=lambda row: f"{row.method} {row.path}")
def test_everybody_gets_the_status_that_the_matrix_says(world: World, row: Row) -> None:
    expected = dict(zip(PEOPLE, map(int, row.statuses.split()), strict=True))
    assert {name: world.status(row, client) for name, client in world.clients.items()} == expected


@pytest.mark.parametrize("row", MATRIX, ids=lambda row: f"{row.method} {row.path}")
def test_nobody_gets_anything_without_a_token(world: World, row: Row) -> None:
    assert world.status(row, Client()) == 401


@pytest.mark.parametrize("row", MATRIX, ids=lambda row: f"{row.method} {row.path}")
def test_a_token_that_was_given_for_something_else_opens_no_route(world: World, row: Row) -> None:
    with transaction.atomic():
        client = client_of(user_of("admin"), scope="openid mcp")
        answer = client.generic(row.method, world.path(row), content_type="application/json", data=world.body(row))
        transaction.set_rollback(True)
    assert (answer.status_code, "scope" in answer.json()["detail"]) == (403, True)


def test_a_method_that_a_route_does_not_have_is_refused_with_those_it_has(world: World) -> None:
    paths = {world.route(row): world.path(row) for row in (*MATRIX, *OPEN)}
    for route, path in paths.items():
        served = {method for method, at in routes() if at == route}
        for method in {name.upper() for name in METHODS} - served | {"OPTIONS"}:
            answer = world.clients["admin"].generic(method, path)
            assert answer.status_code == 405, (method, path)
            assert served <= set(answer["Allow"].split(", "))
            assert answer.json()["detail"]
