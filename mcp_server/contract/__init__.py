"""`python -m mcp_server test URL`: does an MCP endpoint, ours or another's, keep what MCP promises to its clients?"""
