"""A peer, and what its tools are called here."""

import re
from dataclasses import dataclass

VIA = "org.jupyterhealth/via"
"""In `_meta` of what is asked of a peer: the exchange that asks. Who was asked by another exchange asks no third."""
PEER = "org.jupyterhealth/peer"
"""In `_meta` of an answer: whose it is."""
PEERS = "org.jupyterhealth/peers"
"""In `_meta` of a list of tools: how each peer is, in a sentence where it is not well."""

_SEPARATOR = "__"
_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
"""What hosts take as the name of a tool: fewer characters than MCP 2025-11-25 allows."""


@dataclass(frozen=True, slots=True)
class Peer:
    id: int
    prefix: str
    name: str
    url: str
    stamp: str
    """Another one when administrators change it or the person logs in there anew: tokens from before are not used."""

    def called(self, tool: str) -> str | None:
        """The name of its tool here; None where that would be no name."""
        name = f"{self.prefix}{_SEPARATOR}{tool}"
        return name if _NAME.fullmatch(name) else None


def parts_of(name: str) -> tuple[str, str] | None:
    """The prefix and the tool's own name; None for what can be no peer's tool."""
    prefix, separator, tool = name.partition(_SEPARATOR)
    return (prefix, tool) if separator and tool and prefix and _NAME.fullmatch(name) else None
