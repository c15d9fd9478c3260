from typing import Any

from django.core.management.base import BaseCommand

from core.actions.peers import renew_mcp_server_secret


class Command(BaseCommand):
    help = "Give the MCP server a new secret (MCP_CLIENT_SECRET) and print it, and nothing else."

    def handle(self, *_: Any, **__: Any) -> None:
        self.stdout.write(renew_mcp_server_secret())
