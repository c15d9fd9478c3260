"""Tokens for other MCP servers (docs/federation.md, docs/adr/0044): the MCP server asks here, and holds no key itself.

`grant.py` answers it at the token endpoint; `tokens.py` has the two ways to a token; `pages.py` and `authorization.py`
are how a person logs in at a peer; `servers.py` finds a peer's authorization server, and `outbound.py` speaks to it.
"""
