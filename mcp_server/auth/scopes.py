"""The scope that opens this server; a tool may ask for one more (mcp_server/tool.py)."""

SCOPE = "mcp"
