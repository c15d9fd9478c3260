"""Pages for tools' answers: who names them, where they are read, and that they need nothing from elsewhere."""

import pytest

from mcp_server.app import build_server
from mcp_server.apps import CHART
from mcp_server.tools import TOOLS
from tests.mcp_server.features.conftest import MODES


def test_the_page_brings_all_that_it_needs():
    assert "http" not in CHART.html.replace("http://www.w3.org/2000/svg", "").replace("http-equiv", "")
    assert "innerHTML" not in CHART.html
    assert "default-src 'none'" in CHART.html


@pytest.mark.parametrize("mode", MODES)
def test_a_host_finds_the_page_by_the_tool_and_reads_it(host, clinic, mode):
    mary = host(clinic.practitioner, mode)
    listed = mary.asked(lambda client: client.list_tools()).tools
    shown_by = {tool.name: tool.meta["ui"]["resourceUri"] for tool in listed if tool.meta}
    assert shown_by == dict.fromkeys(("get_observation_series", "get_glucose_metrics"), CHART.uri)
    [page] = mary.asked(lambda client: client.read_resource(CHART.uri)).contents
    assert (page.mime_type, page.text) == ("text/html;profile=mcp-app", CHART.html)
    assert page.meta["ui"]["csp"]["connectDomains"] == []
    assert len(TOOLS) == len(listed)
    extensions = build_server(mary.person.backend).get_capabilities().extensions
    assert extensions == {"io.modelcontextprotocol/ui": {"mimeTypes": ["text/html;profile=mcp-app"]}}
