"""What the checks say of an endpoint: of good ones that all is well, and of each fault which it is."""

import ssl
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from mcp.server import MCPServer

from mcp_server.contract.report import Report, Status
from mcp_server.contract.run import Asked, report_on
from mcp_server.settings import HttpService
from mcp_server.transports.http import http_app
from tests.factories import MembershipFactory
from tests.mcp_server.contract.endpoints import ECHO, TOKEN, Endpoint, Scripted, scripted, served
from tests.mcp_server.service import standing_token
from tests.ports import free_ports


def said(report: Report) -> dict[str, str]:
    return {check.name: check.detail for check in report.checks}


def only_fault(report: Report) -> tuple[str, Status, str]:
    [fault] = [check for check in report.checks if check.status != Status.PASSED]
    assert report.status == fault.status
    return fault.name, fault.status, fault.detail


async def test_a_good_endpoint_passes_with_its_version_and_its_tools(server: Scripted) -> None:
    report = await report_on(Asked(server.url, tool="echo", expected=("echo",)))
    assert report.status == Status.PASSED
    assert [check.name for check in report.checks] == ["health", "challenge", "connect", "tools", "call"]
    assert (report.protocol_version, report.tools) == ("2026-07-28", ["echo"])


async def test_an_endpoint_that_asks_for_a_token_passes_with_any_servers_token(server: Scripted) -> None:
    server.endpoint = Endpoint(token=TOKEN)
    report = await report_on(Asked(server.url, token=TOKEN))
    assert report.status == Status.PASSED
    assert said(report)["challenge"] == "401 without a token; tokens come from https://issuer.example"


@pytest.mark.parametrize(
    ("endpoint", "asked", "fault"),
    [
        (Endpoint(token=TOKEN), {}, ("connect", Status.UNREACHABLE, "give it a token in JHE_MCP_TOKEN")),
        (Endpoint(token="another"), {"token": TOKEN}, ("connect", Status.UNREACHABLE, "answers 401")),
        (Endpoint(status=403), {}, ("challenge", Status.UNREACHABLE, "answers 403")),
        (Endpoint(status=503), {}, ("challenge", Status.UNREACHABLE, "answers 503")),
        (Endpoint(status=404), {}, ("connect", Status.UNREACHABLE, "answers 404")),
        (Endpoint(token=TOKEN, challenge="Basic"), {"token": TOKEN}, ("challenge", Status.BROKEN, "RFC 6750")),
        (Endpoint(token=TOKEN, resource=""), {"token": TOKEN}, ("challenge", Status.BROKEN, "RFC 9728")),
        (
            Endpoint(token=TOKEN, resource="https://elsewhere.example/mcp"),
            {"token": TOKEN},
            ("challenge", Status.BROKEN, "https://elsewhere.example/mcp"),
        ),
        (Endpoint(body="<html>"), {}, ("connect", Status.BROKEN, "no message of MCP")),
        (Endpoint(results={"server/discover": {"tools": 1}}), {}, ("connect", Status.BROKEN, "no initialize")),
        (Endpoint(results={"tools/list": {"tools": [{}]}}), {}, ("tools", Status.BROKEN, "tools.0.inputSchema")),
        (Endpoint(), {"expected": ("echo", "sing")}, ("tools", Status.BROKEN, "sing is not offered")),
        (Endpoint(), {"tool": "sing"}, ("call", Status.BROKEN, "sing is not offered")),
    ],
)
async def test_each_fault_of_an_endpoint_is_named(
    server: Scripted, endpoint: Endpoint, asked: dict[str, Any], fault: tuple[str, Status, str]
) -> None:
    server.endpoint = endpoint
    report = await report_on(Asked(server.url, **asked))
    name, status, sentence = fault
    found = [check for check in report.checks if check.name == name]
    assert [check.status for check in found] == [status]
    assert sentence in found[0].detail
    assert report.status == status


@pytest.mark.parametrize(
    ("tools", "sentence"),
    [
        ([ECHO, ECHO], "echo is listed twice"),
        ([{**ECHO, "name": "say it"}], "'say it' is no name for a tool"),
        ([{**ECHO, "inputSchema": {"type": "string"}}], "tools.0.inputSchema.type: Input should be 'object'"),
        ([{**ECHO, "inputSchema": {"type": "object", "required": "text"}}], "its inputSchema is no valid JSON Schema"),
        ([{**ECHO, "outputSchema": {"type": "object", "$ref": "#/$defs/gone"}}], "its outputSchema is no valid JSON"),
        ([{**ECHO, "outputSchema": {"type": "object", "$ref": "http://localhost:1/schema"}}], "stands alone"),
    ],
)
async def test_each_fault_of_a_tool_is_named(server: Scripted, tools: list[Any], sentence: str) -> None:
    server.endpoint = Endpoint(results={"tools/list": {"tools": tools}})
    name, status, detail = only_fault(await report_on(Asked(server.url)))
    assert (name, status) == ("tools", Status.BROKEN)
    assert sentence in detail


@pytest.mark.parametrize(
    ("result", "sentence"),
    [
        ({"content": [{"type": "text", "text": "say it louder"}], "isError": True}, "echo refuses: say it louder"),
        ({"content": []}, "has no structuredContent"),
        ({"content": [], "structuredContent": {"said": 4711}}, "structuredContent/said breaks 'type'"),
        ({"content": [], "structuredContent": {}}, "structuredContent/ breaks 'required'"),
        ({"content": "none"}, "not as MCP 2026-07-28 has it"),
    ],
)
async def test_each_fault_of_an_answer_is_named_and_nothing_of_the_answer_repeated(
    server: Scripted, result: dict[str, Any], sentence: str
) -> None:
    server.endpoint = Endpoint(results={"tools/call": result})
    name, status, detail = only_fault(await report_on(Asked(server.url, tool="echo")))
    assert (name, status) == ("call", Status.BROKEN)
    assert sentence in detail
    assert "4711" not in detail


async def test_all_pages_of_tools_are_looked_at_and_a_cursor_that_leads_nowhere_is_a_fault(server: Scripted) -> None:
    def page(params: dict[str, Any]) -> dict[str, Any]:
        return {"tools": [{**ECHO, "name": "sing"}]} if "cursor" in params else {"tools": [ECHO], "nextCursor": "2"}

    server.endpoint = Endpoint(results={"tools/list": page})
    assert (await report_on(Asked(server.url, expected=("sing",)))).tools == ["echo", "sing"]
    server.endpoint = Endpoint(results={"tools/list": {"tools": [ECHO], "nextCursor": "2"}})
    assert "the same cursor" in only_fault(await report_on(Asked(server.url)))[2]


async def test_the_token_is_never_repeated_whatever_the_server_says(server: Scripted) -> None:
    server.endpoint = Endpoint(token=TOKEN, echoes_token=True)
    report = await report_on(Asked(server.url, token=TOKEN))
    assert said(report)["connect"] == "what is Bearer …?"
    assert TOKEN not in report.json() + report.text() + repr(report.checks)


async def test_a_token_is_sent_over_https_alone(server: Scripted) -> None:
    """192.0.2.1 is nobody's (RFC 5737): were anything sent, it would be to no avail until the time is up."""
    report = await report_on(Asked("http://192.0.2.1/mcp", token=TOKEN, timeout=0.2, with_health=False))
    assert report.status == Status.UNREACHABLE
    server.endpoint = Endpoint(token=TOKEN)
    elsewhere = server.url.replace("localhost", "127.0.0.2")
    assert "not encrypted" in said(await report_on(Asked(elsewhere, token=TOKEN, with_health=False)))["connect"]


async def test_an_endpoint_that_never_answers_is_given_up_in_time(server: Scripted) -> None:
    server.endpoint = Endpoint(hangs=True)
    report = await report_on(Asked(server.url, timeout=0.3))
    assert only_fault(report) == ("challenge", Status.UNREACHABLE, "no answer within 0.3 s")


async def test_a_machine_that_nobody_listens_on_is_a_fault_of_transport() -> None:
    report = await report_on(Asked(f"http://127.0.0.1:{free_ports()[0]}/mcp"))
    assert {check.status for check in report.checks} == {Status.UNREACHABLE}
    assert "the connection failed" in said(report)["connect"]


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A key and a certificate for this machine that nobody has signed, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    names = x509.SubjectAlternativeName([x509.DNSName("localhost"), x509.IPAddress(ip_address("127.0.0.1"))])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(names, critical=False)
        .sign(key, hashes.SHA256())
    )
    file = tmp_path_factory.mktemp("tls") / "localhost.pem"
    secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    file.write_bytes(secret + made.public_bytes(Encoding.PEM))
    return file


async def test_https_is_spoken_with_those_alone_whose_certificate_is_trusted(
    certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with scripted(context) as server:
        assert "certificate" in said(await report_on(Asked(server.url)))["connect"].lower()
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        assert (await report_on(Asked(server.url))).status == Status.PASSED


@pytest.mark.parametrize("stateless", [False, True])
async def test_another_kind_of_server_passes(stateless: bool) -> None:
    other = MCPServer("another", version="9")

    @other.tool()
    def add(a: int, b: int) -> int:
        return a + b

    async with served(other.streamable_http_app(stateless_http=stateless), free_ports()[0]) as url:
        report = await report_on(Asked(url, tool="add", arguments={"a": 1, "b": 2}, with_health=False))
    assert report.status == Status.PASSED
    assert report.server == {"name": "another", "version": "9"}


async def test_a_server_that_knows_the_handshake_alone_passes(server: Scripted) -> None:
    info = {"protocolVersion": "2025-06-18", "capabilities": {"tools": {}}}
    server.endpoint = Endpoint(
        results={
            "server/discover": {"error": {"code": -32601, "message": "unknown"}},
            "initialize": {**info, "serverInfo": {"name": "old", "version": "1"}},
        }
    )
    report = await report_on(Asked(server.url, tool="echo"))
    assert (report.status, report.protocol_version) == (Status.PASSED, "2025-06-18")


@pytest.fixture
def here(settings: HttpService) -> tuple[HttpService, int, str]:
    """The exchange's own service at a port, with a token for it."""
    port = free_ports()[0]
    url = f"http://127.0.0.1:{port}/mcp"
    token = standing_token(MembershipFactory().practitioner.user, aud=url)
    return settings.model_copy(update={"given_url": url}), port, token


async def test_the_exchange_itself_passes(here: tuple[HttpService, int, str]) -> None:
    settings, port, token = here
    async with served(http_app(settings), port) as url:
        report = await report_on(Asked(url, token, tool="list_studies", expected=("list_studies", "get_study_count")))
        assert report.status == Status.PASSED, report.text()
        assert said(report)["call"] == "list_studies answers as its outputSchema says"
        without = await report_on(Asked(url))
    assert without.status == Status.UNREACHABLE
    assert said(without)["challenge"] == "401 without a token; tokens come from http://localhost:8000"
