"""What get_server_capabilities says is what the server lists."""

from pathlib import Path

import pytest
from mcp import Client
from mcp_types.version import LATEST_MODERN_VERSION

from mcp_server.app import build_server
from mcp_server.tools import TOOLS
from tests.factories import UserFactory
from tests.mcp_server.service import called, served, standing_token

TOOL = "get_server_capabilities"
GUIDE = Path(__file__).parents[3] / "docs" / "http.md"


@pytest.fixture
def token(clinic):
    return standing_token(clinic.practitioner)


def test_it_says_what_the_server_lists(as_user, clinic):
    person = as_user(clinic.practitioner)
    answer = person.answer(TOOL)

    async def listed():
        async with Client(build_server(person.backend)) as client:
            return (
                [tool.name for tool in (await client.list_tools()).tools],
                [prompt.name for prompt in (await client.list_prompts()).prompts],
                [str(each.uri_template) for each in (await client.list_resource_templates()).resource_templates],
            )

    tools, prompts, templates = person.run(listed())
    assert [tool["name"] for subject in answer["subjects"] for tool in subject["tools"]] == tools
    assert [prompt["name"] for prompt in answer["prompts"]] == prompts
    assert [resource["uri"] for resource in answer["resources"]] == templates
    assert len({subject["subject"] for subject in answer["subjects"]}) == len(answer["subjects"])
    assert answer["protocol_revisions"][0] == LATEST_MODERN_VERSION
    assert answer["protocol_revisions"][-1] == "2024-11-05"
    assert answer["limits"]["observations_per_page"] == 500


def test_everybody_is_told_the_kinds_of_data_and_nothing_of_anybody(as_user, clinic):
    for user in (clinic.practitioner, UserFactory(), UserFactory(is_superuser=True)):
        answer = as_user(user).answer(TOOL)
        assert {"data_type": "omh:blood-glucose:4.0", "name": "Blood glucose"} in answer["data_types"]
        assert answer["data_types_total"] == len(answer["data_types"])
        assert "Sugar" not in str(answer)
        assert str(clinic.study.pk) not in str(answer)


def test_a_token_that_ended_is_told_nothing(as_user, clinic):
    person = as_user(clinic.practitioner)
    clinic.practitioner.is_active = False
    clinic.practitioner.save()
    for tool in (TOOL, "get_my_access"):
        assert "no longer stands" in person.refusal(tool)
    assert "no longer stands" in person.refusal("get_omh_schema", name="heart-rate")


def test_every_tool_is_told_once_under_a_subject(as_user, clinic):
    assert set(TOOLS) == {
        tool["name"] for each in as_user(clinic.practitioner).answer(TOOL)["subjects"] for tool in each["tools"]
    }


@pytest.mark.parametrize("has_sse", [False, True])
async def test_the_transport_of_old_clients_is_told_where_it_is_served(clinic, token, settings, has_sse):
    async with served(settings.model_copy(update={"sse": has_sse})) as http:
        answer = (await called(http, TOOL, token=token)).json()["result"]["structuredContent"]
        is_there = (await http.head(f"{settings.mcp_url.removesuffix('/mcp')}/sse")).status_code != 404
    assert answer["transports"] == ["stdio", "streamable-http"] + ["http+sse"] * is_there
    assert is_there == has_sse


@pytest.mark.parametrize("name", TOOLS)
def test_a_reader_of_the_guide_finds_every_tool_with_its_arguments(name):
    [row] = [line for line in GUIDE.read_text().splitlines() if line.startswith("|") and f"`{name}`" in line]
    arguments = TOOLS[name].arguments.model_fields
    assert [argument for argument in arguments if f"`{argument}`" not in row] == []
