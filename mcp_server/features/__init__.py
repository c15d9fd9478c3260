"""What the server offers (MCP: server features), one file each: the handlers that app.py gives to the SDK."""
