"""One exchange for all questions: the demo world and the larger demo, and the MCP service in front of it."""

from collections.abc import Callable, Iterator
from functools import cache, partial
from pathlib import Path

import pytest
from anyio.from_thread import start_blocking_portal
from django.core.management import call_command
from django.db import connection
from pytest_django import DjangoDbBlocker

from core.oauth.claims import claims_of
from jhe import embedded
from mcp_server.settings import HttpService
from tests import personas, tokens
from tests.mcp_server.conftest import serving
from tests.mcp_server.service import served, standing_token
from tests.questions.ask import Ask
from tests.questions.question import Question
from tests.questions.seen import Seen
from tests.questions.world import World, read_world
from tests.settings import DATA_DIR


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """After pytest-django has put them last, where nobody misses what the flush below takes away."""
    for item in items:
        if item.path.parent == Path(__file__).parent:
            item.add_marker("django_db")


@pytest.fixture(scope="package")
def world(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[World]:
    """What the database holds, as data frames. The service reads the same, committed, until the last question."""
    with django_db_blocker.unblock():
        call_command("seed", allow_demo_passwords=True, large=True)
        yield read_world()
        call_command("flush", verbosity=0, interactive=False, allow_cascade=False, inhibit_post_migrate=False)


@pytest.fixture(scope="package")
def asked() -> dict[Question, set[str]]:
    """The tools that each question was answered with, as far as they have been asked."""
    return {}


@pytest.fixture(scope="package")
def seen_by(world: World) -> Callable[[str], Seen]:
    """`seen_by("manager_mary")` is what she may see, in data frames."""
    return cache(partial(Seen, world))


@pytest.fixture(scope="package")
def asked_by(world: World, django_db_blocker: DjangoDbBlocker) -> Iterator[Callable[[str], Ask]]:
    """`asked_by("manager_mary")` asks the service over HTTP with her token."""
    url = embedded.database_url(DATA_DIR, user="jhe_mcp").replace("/postgres?", f"/{connection.settings_dict['NAME']}?")
    with django_db_blocker.unblock(), serving() as issuer, start_blocking_portal() as portal:
        settings = HttpService(
            database_url=url, issuer=tokens.ISSUER, given_url=tokens.RESOURCE, given_jwks_url=issuer.jwks_url
        )
        with portal.wrap_async_context_manager(served(settings)) as http:
            people = {name: Ask(portal.call, http, _token(name), world) for name in personas.EVERYBODY}
            yield people.__getitem__


def _token(name: str) -> str:
    user = personas.user_of(name)
    claims = claims_of(user)
    del claims["user_id"]  # standing_token says it
    return standing_token(user, **claims)
