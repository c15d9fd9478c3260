"""Other MCP servers, whose tools people of this exchange use on their own behalf there (docs/adr/0044).

`peers.py` joins the parts: `directory.py` says who sees which peer and writes the trail; `tokens.py` gets a person's
token for one; `link.py` speaks to one, through `gateway.py`, when `turns.py` lets it; `shown.py` is what of its
words is passed on.
"""
