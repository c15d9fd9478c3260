"""What the server says of itself: short, true to what there is, and true in each revision."""

import re

import pytest

from mcp_server.instructions import INSTRUCTIONS
from mcp_server.resources import RESOURCES
from mcp_server.tools import TOOLS


def test_the_model_is_explained_in_two_thousand_characters():
    assert len(INSTRUCTIONS) <= 2_000


def test_what_the_instructions_name_is_there():
    named = set(re.findall(r"\b(?:get|list|search|summarize|find)_\w+", INSTRUCTIONS))
    assert len(named) > 5
    assert named <= set(TOOLS)
    assert any(name.startswith("count_") for name in TOOLS)
    uris = {uri.rstrip(",.;") for uri in re.findall(r"\bjhe://\S+", INSTRUCTIONS)}
    assert uris <= {resource.path for resource in RESOURCES}
    assert len(uris) == 3


@pytest.mark.parametrize("mode", ["auto", "legacy"])  # a modern client that asks (server/discover), and a handshake
def test_capabilities_are_those_of_the_revision(host, clinic, mode):
    async def said(client):
        return client.server_capabilities

    capabilities = host(clinic.practitioner, mode).asked(said)
    assert capabilities.completions is not None
    assert capabilities.resources.subscribe
    is_modern = mode != "legacy"
    assert set(capabilities.extensions or ()) == ({"io.modelcontextprotocol/ui"} if is_modern else set())
    assert capabilities.resources.list_changed is is_modern
    assert capabilities.prompts.list_changed is is_modern
