"""The OpenAPI document says what the REST door does: whatever is sent, the answer is one that it describes."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import schemathesis
from django.core.signals import request_finished, request_started
from django.core.wsgi import get_wsgi_application
from django.db import close_old_connections, transaction
from django.test import Client, override_settings
from drf_spectacular.drainage import GENERATOR_STATS
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from pytest_django import DjangoDbBlocker
from schemathesis import GenerationMode
from schemathesis.checks import (
    content_type_conformance,
    load_all_checks,
    not_a_server_error,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from core.api.schema import document
from tests.api.matrix import ids_of_the_world
from tests.bearer import token_of
from tests.personas import seed_demo_world, user_of

pytestmark = pytest.mark.django_db

load_all_checks()
_CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]

DESCRIBED = schemathesis.openapi.from_dict(json.loads(document()))
DESCRIBED.app = get_wsgi_application()
OPERATIONS = [found.ok() for found in DESCRIBED.get_all_operations()]

PERSONAS = ("admin", "manager_mary", "ll_patient_peter")
EXAMPLES = 12
"""Of each operation, for everybody together. More were tried when this was written."""


@dataclass(frozen=True)
class World:
    tokens: dict[str, str]
    ids: dict[str, int]


def _no_limits() -> Any:
    return override_settings(RATE_LIMIT="10000/s", ANONYMOUS_RATE_LIMIT="10000/s")


@pytest.fixture(scope="module")
def world(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[World]:
    for signal in (request_started, request_finished):  # as Django's own test client does it
        signal.disconnect(close_old_connections)
    with django_db_blocker.unblock(), transaction.atomic(), _no_limits():
        seed_demo_world()
        yield World({name: token_of(user_of(name)) for name in PERSONAS}, ids_of_the_world())
        transaction.set_rollback(True)
    for signal in (request_started, request_finished):
        signal.connect(close_old_connections)


@pytest.mark.parametrize("described", OPERATIONS, ids=lambda described: described.label)
def test_every_answer_is_one_that_the_document_describes(described: Any, world: World) -> None:
    cases = st.one_of(described.as_strategy(mode) for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE))

    @settings(
        max_examples=EXAMPLES,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
        derandomize=True,
    )
    @given(case=cases, persona=st.sampled_from(PERSONAS), is_known=st.booleans())
    def send(case: Any, persona: str, is_known: bool) -> None:
        if is_known:
            point_at_what_is_there(case, world.ids)
        with transaction.atomic():
            answer = case.call(headers={"Authorization": f"Bearer {world.tokens[persona]}"})
            transaction.set_rollback(True)
        case.validate_response(answer, checks=_CHECKS)

    send()


def point_at_what_is_there(case: Any, ids: dict[str, int]) -> None:
    """A path of random numbers leads to a 404; this one leads to a row of the demo world."""
    rows = {
        "organizations": "lab",
        "practitioners": "megan",
        "studies": "study",
        "patients": "peter",
        "data_sources": "scale",
        "codes": "glucose",
        "observations": "observation",
        "clients": "client",
        "invitation": "invitation",
    }
    words = case.path.removeprefix("/api/v1/").split("/")
    if isinstance(case.path_parameters, dict) and "id" in case.path_parameters and words[0] in rows:
        case.path_parameters["id"] = ids[rows[words[0]]]
    names = {
        "partOf": "lab",
        "organization": "lab",
        "patientId": "peter",
        "scopeCodeId": "glucose",
        "dataSourceId": "scale",
        "jheUserId": "megan_user",
        "subjectPatientId": "peter",
    }
    if isinstance(case.body, dict):
        case.body.update({name: ids[row] for name, row in names.items() if name in case.body})


def test_the_document_is_made_without_a_complaint() -> None:
    GENERATOR_STATS.reset()
    document.cache_clear()
    document()
    assert not GENERATOR_STATS


def test_anybody_can_read_the_document() -> None:
    answer = Client().get("/api/schema/")
    assert answer["Content-Type"] == "application/json"
    assert answer.json()["openapi"].startswith("3.1")


@pytest.mark.parametrize("page", ["swagger", "redoc"])
def test_the_pages_that_show_it_load_nothing_from_elsewhere(page: str) -> None:
    answer = Client().get(f"/api/schema/{page}")
    assert answer.status_code == 200
    assert "default-src 'self'" in answer["Content-Security-Policy"]
    html = answer.content.decode()
    assert "//" not in html.replace("<!doctype html>", "")
    for script in (part.partition('"')[0] for part in html.split('src="')[1:]):
        sent = Client().get(script)
        sent.close()
        assert sent.status_code == 200, script
