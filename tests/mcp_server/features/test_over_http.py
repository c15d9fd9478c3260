"""The same over HTTP, and over stdio on a laptop, whose server forwards to the endpoint (docs/adr/0012)."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx2
import mcp_types as types
import pytest
from mcp import Client, MCPError
from mcp.client.streamable_http import streamable_http_client
from mcp.client.subscriptions import ResourceUpdated
from mcp_types.version import LATEST_MODERN_VERSION
from oauth2_provider.models import AccessToken

from core.actions.mcp_tokens import create_token
from core.models import AuditEvent
from mcp_server.app import build_server
from mcp_server.auth.login import GivenToken
from mcp_server.backends.forward import Forward
from mcp_server.resources import PATIENT, READINGS, STUDY
from mcp_server.transports.http import http_app
from tests.factories import PatientFactory, StudyFactory
from tests.mcp_server.features.conftest import MODES
from tests.mcp_server.features.inbox import SOON, Inbox, written
from tests.mcp_server.service import standing_token
from tests.mcp_server.sessions.worker import listening
from tests.mcp_server.tools.world import glucose, record

QUICK = {"watch_interval": 0.02}


@pytest.fixture
def patient(clinic):
    patient = clinic.patient()
    record(patient, clinic.glucose, glucose(100, "2026-11-01T12:00:00Z"))
    return patient


@pytest.fixture
def token(clinic):
    return standing_token(clinic.practitioner)


def readings(patient):
    return f"jhe://patients/{patient.pk}/observations/omh:blood-glucose:4.0"


async def one_more(clinic, patient):
    await written(record, patient, clinic.glucose, glucose(110, "2026-11-01T12:05:00Z"))


@asynccontextmanager
async def over_http(settings, token, mode=LATEST_MODERN_VERSION, **options) -> AsyncIterator[Client]:
    async with (
        listening(http_app(settings)) as url,
        httpx2.AsyncClient(headers={"Authorization": f"Bearer {token}"}, timeout=SOON) as http,
        Client(streamable_http_client(f"{url}/mcp", http_client=http), mode=mode, **options) as client,
    ):
        yield client


@asynccontextmanager
async def forwarded(settings, token, mode=LATEST_MODERN_VERSION, **options) -> AsyncIterator[Client]:
    async with (
        listening(http_app(settings)) as url,
        Forward(f"{url}/mcp", GivenToken(token)) as forward,
        Client(build_server(forward), mode=mode, **options) as client,
    ):
        yield client


@pytest.mark.parametrize("mode", MODES)
async def test_a_laptop_reads_lists_and_completes_what_the_endpoint_does(settings, clinic, patient, token, mode):
    async def everything(client):
        read = await client.read_resource(readings(patient))
        listed = await client.list_resources()
        ref = types.ResourceTemplateReference(uri=READINGS)
        kinds = await client.complete(ref, {"name": "data_type", "value": ""}, {"patient_id": str(patient.pk)})
        studies = await client.complete(
            types.ResourceTemplateReference(uri=STUDY), {"name": "study_id", "value": "sugar"}
        )
        prompt = await client.get_prompt("study_overview", {"study_id": str(clinic.study.pk)})
        answers = (read.contents, listed.resources, kinds.completion, studies.completion, prompt.messages)
        with pytest.raises(MCPError) as refused:
            await client.read_resource("jhe://patients/49999")
        return answers, (refused.value.error.code, refused.value.error.message)

    async with over_http(settings, token, mode) as client:
        there = await everything(client)
    async with forwarded(settings, token, mode) as client:
        here = await everything(client)
    assert here == there
    [contents] = here[0][0]
    assert json.loads(contents.text)["total"] == 1
    assert here[0][3].values == [str(clinic.study.pk)]


@pytest.mark.parametrize("connected", [over_http, forwarded])
async def test_a_new_reading_is_told_of(settings, clinic, patient, token, connected):
    foreign = await written(PatientFactory)
    async with (
        connected(settings.model_copy(update=QUICK), token) as client,
        client.listen(resource_subscriptions=[readings(patient), readings(foreign)]) as subscription,
    ):
        assert subscription.honored.resource_subscriptions == [readings(patient)]
        await one_more(clinic, patient)
        async with asyncio.timeout(SOON):
            assert await anext(aiter(subscription)) == ResourceUpdated(readings(patient))


@pytest.mark.parametrize("connected", [over_http, forwarded])
async def test_a_token_for_one_study_finds_nothing_of_another(settings, clinic, patient, connected):
    """Of a patient of both, neither."""
    other, token = await written(_token_for_another_study, clinic)
    foreign = (f"jhe://studies/{clinic.study.pk}", f"jhe://patients/{patient.pk}", readings(patient))
    async with connected(settings, token) as client:
        listed = await client.list_resources()
        assert [str(resource.uri) for resource in listed.resources][2:] == [f"jhe://studies/{other}"]
        for uri in foreign:
            with pytest.raises(MCPError):
                await client.read_resource(uri)
        for template, argument in ((STUDY, "study_id"), (PATIENT, "patient_id")):
            found = await client.complete(
                types.ResourceTemplateReference(uri=template), {"name": argument, "value": ""}
            )
            assert found.completion.values == ([str(other)] if argument == "study_id" else [])
        mine = f"jhe://studies/{other}"
        async with client.listen(resource_subscriptions=[*foreign, mine]) as subscription:
            assert subscription.honored.resource_subscriptions == [mine]


def _token_for_another_study(clinic):
    other = StudyFactory(organization=clinic.organization)
    _, token = create_token(actor=None, door="command", user=clinic.practitioner, studies=[other.pk])
    return other.pk, token


@pytest.mark.filterwarnings("ignore:.*:mcp.MCPDeprecationWarning")
@pytest.mark.parametrize("connected", [over_http, forwarded])
async def test_a_session_is_told_of_a_new_reading_on_its_stream(settings, clinic, patient, token, connected):
    inbox = Inbox()
    with_sessions = settings.model_copy(update={**QUICK, "sessions": True})
    async with connected(with_sessions, token, "legacy", message_handler=inbox) as client:
        assert client.server_capabilities.resources.subscribe
        await client.subscribe_resource(readings(patient))
        await written(_until_watched, patient, connected is over_http)
        await one_more(clinic, patient)
        assert await inbox.next() == readings(patient)
        with pytest.raises(MCPError) as refused:
            await client.subscribe_resource("jhe://patients/49999")
        assert refused.value.error.code == -32002


def _until_watched(patient, by_the_session):
    """The subscription is recorded when it is made, and by the worker that begins to look for the session."""
    wanted = 2 if by_the_session else 1
    while AuditEvent.objects.filter(action="watch", patient_ids=[patient.pk]).count() < wanted:
        time.sleep(0.02)


@pytest.mark.filterwarnings("ignore:.*:mcp.MCPDeprecationWarning")
async def test_without_sessions_an_older_client_is_not_promised_what_could_not_reach_it(settings, patient, token):
    async with over_http(settings, token, "legacy") as client:
        assert not client.server_capabilities.resources.subscribe
        with pytest.raises(MCPError) as refused:
            await client.subscribe_resource(readings(patient))
        assert refused.value.error.code == types.METHOD_NOT_FOUND


async def test_a_token_that_stands_no_more_reads_and_listens_to_nothing(settings, patient, clinic):
    token = await written(_ended, clinic.practitioner)
    for ask in (
        lambda client: client.read_resource(readings(patient)),
        lambda client: client.list_resource_templates(),
        lambda client: client.list_prompts(),
        lambda client: client.get_prompt("study_overview", {"study_id": "30001"}),
        lambda client: client.read_resource("ui://jhe/chart"),
        lambda client: client.read_resource("jhe://nothing"),
        lambda client: client.complete(types.PromptReference(name="study_overview"), {"name": "study_id", "value": ""}),
        lambda client: client.listen(resource_subscriptions=[readings(patient)]).__aenter__(),
    ):
        async with over_http(settings, token) as client:
            with pytest.raises((MCPError, RuntimeError)):
                await ask(client)


def _ended(user):
    token = standing_token(user)
    AccessToken.objects.all().delete()
    return token
