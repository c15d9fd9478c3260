"""python -m mcp_server http"""

import argparse

from mcp_server import logs
from mcp_server.settings import HttpService, load


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m mcp_server", description="The MCP server of JupyterHealth Exchange."
    )
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("http", help="serve Streamable HTTP, for everybody").set_defaults(run=_http)
    chosen = parser.parse_args()
    chosen.run(chosen)


def _http(_: argparse.Namespace) -> None:
    from mcp_server.transports.http import serve

    logs.configure()
    serve(load(HttpService))


if __name__ == "__main__":
    main()
