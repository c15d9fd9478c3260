"""Other MCP servers that an exchange is connected with: who may see one, and which addresses one may have."""

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from urllib.parse import urlsplit

from core.policy.errors import InvalidInput
from core.policy.permissions import Permission
from core.policy.principal import Principal
from core.policy.roles import roles_granting

MCP_SERVER_CLIENT_ID = "jhe-mcp-server"
"""The client of the authorization server that the MCP server is, when it asks for a peer's token."""
ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token"  # noqa: S105 - RFC 8693 §3: the name of a kind of token
TOKEN_EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"  # noqa: S105

_LOOPBACK = ("localhost", "127.0.0.1", "::1")
_NAT64 = ip_network("64:ff9b::/96")
_EVERYWHERE = "must be an https URL, or http to a loopback address, without user, query and fragment"


def roles_for_peers(principal: Principal) -> list[str]:
    """The roles in access_peer that open a peer to this caller.

    None for a token that can do less than its person: what it leaves out here, nobody would leave out there.
    """
    return roles_granting(Permission.ORGANIZATION_READ) if principal.acts_in_full else []


def opens_peers(*, issuer: str, own_issuer: str, is_id_token: bool) -> bool:
    """Whether any peer is shown to who brings a token of `issuer`.

    None for a token for which our own authorization server gives none of a peer: somebody else's, or an ID token.
    """
    return issuer == own_issuer and not is_id_token


def check_endpoint(url: str) -> None:
    """Raises InvalidInput for an address that no token may be sent to."""
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        raise InvalidInput(f"This {_EVERYWHERE}.") from None
    is_safe = parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOOPBACK)
    if (
        not is_safe
        or not parts.hostname
        or "@" in parts.netloc
        or parts.query
        or parts.fragment
        or not url.isprintable()
    ):
        raise InvalidInput(f"This {_EVERYWHERE}.")


def reachable(host: str, addresses: Sequence[str]) -> list[str]:
    """The addresses of `host` that may be connected to: public ones, and loopback where the host says so.

    All or none: a name that also leads into somebody's network leads nowhere. Connect to one of these and not to the
    name, which may lead elsewhere the next time (DNS rebinding).
    """
    allowed = _is_loopback if host in _LOOPBACK else _is_public
    return list(dict.fromkeys(addresses)) if all(allowed(address) for address in addresses) else []


def _is_loopback(address: str) -> bool:
    return ip_address(address).is_loopback


def _is_public(address: str) -> bool:
    """Of an IPv6 address that holds an IPv4 one, both count."""
    found = ip_address(address.partition("%")[0])
    if isinstance(found, IPv6Address):
        return found.is_global and not found.is_multicast and all(held.is_global for held in _held(found))
    return found.is_global and not found.is_multicast


def _held(address: IPv6Address) -> list[IPv4Address]:
    held = [*(address.teredo or ()), address.ipv4_mapped, address.sixtofour]
    if address in _NAT64:
        held.append(IPv4Address(int(address) & 0xFFFFFFFF))
    return [each for each in held if each is not None]
