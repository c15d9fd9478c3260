"""`make demo`: the whole exchange on one machine, with people in it and a first question asked over MCP."""
