"""Where a request comes from, as the audit trail keeps it."""

from functools import lru_cache
from ipaddress import ip_address


@lru_cache(1_000)  # a caller calls again; parsing the address would be a fiftieth of a tool call
def address_of(said: str) -> str:
    """The IP address that `said` is, in its shortest spelling and without a zone (RFC 4007 §11); else an empty text.

    What a header says can be anything of any length, so that nothing but an address may pass.
    """
    try:
        return str(ip_address(said.strip().partition("%")[0]))
    except ValueError:
        return ""
