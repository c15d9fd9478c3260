"""What the exchange asks and tells in the middle of a call reaches the host of a stdio server, in either era."""

import mcp_types as types
import pytest
from mcp import Client
from mcp.client.context import ClientRequestContext

from core.models import Study, User
from mcp_server.app import build_server
from mcp_server.backends.forward import Forward
from mcp_server.settings import HttpService
from tests.factories import MembershipFactory, StudyFactory
from tests.mcp_server.features.conftest import MODES
from tests.mcp_server.features.test_asking import Mary, Model, said
from tests.mcp_server.features.test_cancelling import Given, served_at
from tests.mcp_server.service import standing_token


@pytest.fixture
def study(transactional_db: None) -> Study:
    membership = MembershipFactory()
    study: Study = StudyFactory(organization=membership.organization, name="Sugar")
    return study


@pytest.fixture
def token(study: Study) -> str:
    user: User = study.organization.memberships.get().practitioner.user
    return standing_token(user)


@pytest.mark.parametrize("mode", MODES)
async def test_a_host_is_asked_by_the_exchange(settings: HttpService, study: Study, token: str, mode: str) -> None:
    mary = Mary(pick=lambda choices: next(iter(choices)))
    model = Model("Sugar.")
    callbacks = {"elicitation_callback": mary, "sampling_callback": model}
    async with (
        served_at(settings) as url,
        Forward(url, Given(token)) as forward,
        Client(build_server(forward), mode=mode, **callbacks) as host,
    ):
        chosen = await host.call_tool("get_study_metadata", {"study_id": 7})
        told = await host.call_tool("get_study_metadata", {"study_id": study.pk, "in_plain_words": True})
    assert chosen.structured_content is not None
    assert chosen.structured_content["study_id"] == study.pk
    assert mary.choices == {str(study.pk): f'{study.pk} "Sugar"'}
    assert said(told).endswith('In plain words, by your own model, unchecked: "Sugar."')


@pytest.mark.parametrize("mode", MODES)
async def test_a_host_without_forms_reads_the_sentence(
    settings: HttpService, study: Study, token: str, mode: str
) -> None:
    async with (
        served_at(settings) as url,
        Forward(url, Given(token)) as forward,
        Client(build_server(forward), mode=mode) as host,
    ):
        answer = await host.call_tool("get_study_metadata", {"study_id": 7})
    assert said(answer) == f'No study 7 that you can see. Your studies: {study.pk} "Sugar".'


async def test_a_person_who_cannot_be_asked_after_all_leaves_a_sentence(
    settings: HttpService,
    study: Study,
    token: str,
) -> None:
    async def fail(_: ClientRequestContext, __: types.ElicitRequestParams) -> types.ErrorData:
        return types.ErrorData(code=types.INTERNAL_ERROR, message="no window")

    async with (
        served_at(settings) as url,
        Forward(url, Given(token)) as forward,
        Client(build_server(forward), mode="legacy", elicitation_callback=fail) as host,
    ):
        answer = await host.call_tool("get_study_metadata", {"study_id": 7})
    assert answer.is_error
    assert "nobody answered" in said(answer)


async def test_a_host_hears_the_exchanges_progress(settings: HttpService, token: str) -> None:
    told: list[tuple[float, str | None]] = []

    async def hear(progress: float, _: float | None, message: str | None) -> None:
        told.append((progress, message))

    async with (
        served_at(settings) as url,
        Forward(url, Given(token)) as forward,
        Client(build_server(forward), mode="legacy") as host,
    ):
        await host.call_tool("get_study_count", {}, progress_callback=hear)
    assert told == [(1, "Looking it up."), (2, "Answered.")]
