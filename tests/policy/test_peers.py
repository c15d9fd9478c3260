"""Which callers reach peers at all, and which addresses peers may have."""

from typing import Any

import pytest

from core.policy.errors import InvalidInput
from core.policy.peers import check_endpoint, opens_peers, reachable, roles_for_peers
from core.policy.permissions import Permission
from core.policy.principal import Principal, UserType


def principal(**limits: object) -> Principal:
    return Principal(user_id=7, user_type=UserType.PRACTITIONER, **limits)  # type: ignore[arg-type]


def test_whoever_reads_an_organization_may_see_its_peers() -> None:
    assert {"viewer", "member", "manager", "superuser"} <= set(roles_for_peers(principal()))


@pytest.mark.parametrize(
    "limits", [{"narrowing_id": -3}, {"permissions": frozenset(Permission)}, {"studies": frozenset({1})}], ids=" ".join
)
def test_a_token_that_can_do_less_than_its_person_reaches_none(limits: dict[str, object]) -> None:
    assert roles_for_peers(principal(**limits)) == []


def test_an_access_token_of_our_own_opens_peers() -> None:
    assert opens_peers(issuer="https://jhe.example.org", own_issuer="https://jhe.example.org", is_id_token=False)


@pytest.mark.parametrize(
    "token",
    [
        {"issuer": "https://hospital.example.org", "is_id_token": False},
        {"issuer": "https://jhe.example.org", "is_id_token": True},
    ],
    ids=["of another issuer", "an ID token"],
)
def test_a_token_that_is_not_exchanged_for_a_peers_opens_none(token: dict[str, Any]) -> None:
    assert not opens_peers(own_issuer="https://jhe.example.org", **token)


@pytest.mark.parametrize(
    "url",
    [
        "https://north.example.org/mcp",
        "https://north.example.org:8443",
        "http://localhost:8001/mcp",
        "http://[::1]/mcp",
    ],
)
def test_a_peer_is_reached_over_tls_or_on_this_machine(url: str) -> None:
    check_endpoint(url)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "http://north.example.org/mcp",
        "http://localhost.example.org/mcp",
        "https://user:secret@north.example.org/mcp",
        "https://north.example.org/mcp?a=b",
        "https://north.example.org/mcp#a",
        "https://north.example.org/\u202emcp",
        "https://north.example.org:99999/mcp",
        "https:///mcp",
        "file:///etc/passwd",
        "https://[::1",
    ],
)
def test_no_token_goes_to_any_other_address(url: str) -> None:
    with pytest.raises(InvalidInput):
        check_endpoint(url)


@pytest.mark.parametrize(
    "address",
    [
        "10.0.0.7",
        "127.0.0.1",
        "169.254.169.254",
        "100.64.0.1",
        "224.0.0.1",
        "::1",
        "fe80::1%eth0",
        "fd00::1",
        "::ffff:10.0.0.7",
        "64:ff9b::a00:7",
        "2002:a00:7::",
    ],
)
def test_a_name_that_leads_into_somebodys_network_leads_nowhere(address: str) -> None:
    assert reachable("north.example.org", [address]) == []
    assert reachable("north.example.org", ["93.184.216.34", address]) == []


def test_public_addresses_are_reached_and_loopback_only_where_the_name_says_so() -> None:
    assert reachable("north.example.org", ["93.184.216.34", "93.184.216.34"]) == ["93.184.216.34"]
    assert reachable("localhost", ["::1", "127.0.0.1"]) == ["::1", "127.0.0.1"]
    assert reachable("localhost", ["93.184.216.34"]) == []
