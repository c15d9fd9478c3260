"""The command line: python -m mcp_server http | stdio | login | logout | whoami"""

import argparse
import asyncio
import sys
from collections.abc import Callable
from datetime import UTC, datetime

from core.policy.errors import DomainError
from mcp_server import logs
from mcp_server.settings import Endpoint, Exchange, HttpService, load

Command = Callable[[argparse.Namespace], None]


def main() -> None:
    parser = argparse.ArgumentParser("python -m mcp_server", description="The MCP server of JupyterHealth Exchange.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _command(commands, "http", "serve Streamable HTTP", _http)
    _command(commands, "stdio", "serve a host that starts this program, such as Claude Desktop", _stdio)
    _command(commands, "login", "log in, in the browser", _login)
    _command(commands, "logout", "forget the login, here and at the exchange", _logout)
    _command(commands, "whoami", "who is logged in", _whoami)
    chosen = parser.parse_args()
    logs.configure()
    try:
        chosen.run(chosen)
    except DomainError as error:
        raise SystemExit(str(error)) from None
    except KeyboardInterrupt:
        raise SystemExit(130) from None


def _command(
    commands: "argparse._SubParsersAction[argparse.ArgumentParser]", name: str, help_: str, run: Command
) -> None:
    command = commands.add_parser(name, help=help_, description=f"{help_[0].upper()}{help_[1:]}.")
    command.set_defaults(run=run)
    if name == "http":
        return
    command.add_argument("--url", metavar="URL", help="the MCP endpoint of the exchange (default: $JHE_MCP_URL)")
    command.add_argument(
        "--database-url",
        metavar="URL",
        help="ask this database instead of the endpoint, for those who run the exchange",
    )


def _http(_: argparse.Namespace) -> None:
    from mcp_server.transports.http import serve

    serve(load(HttpService))


def _stdio(chosen: argparse.Namespace) -> None:
    from mcp_server.transports.stdio import serve

    asyncio.run(serve(_settings(chosen)))


def _login(chosen: argparse.Namespace) -> None:
    from mcp_server.transports.stdio import login_for

    asyncio.run(login_for(_settings(chosen)).authorize())
    _whoami(chosen)


def _logout(chosen: argparse.Namespace) -> None:
    from mcp_server.transports.stdio import login_for

    was_there = asyncio.run(login_for(_settings(chosen)).forget())
    _say("Logged out." if was_there else "Nobody was logged in.")


def _whoami(chosen: argparse.Namespace) -> None:
    from mcp_server.transports.stdio import login_for

    person = asyncio.run(login_for(_settings(chosen)).person())
    if person is None:
        raise SystemExit("Nobody is logged in: python -m mcp_server login")
    until = datetime.fromtimestamp(person["exp"], UTC).isoformat(sep=" ", timespec="minutes")
    who = person.get("email") or f"user {person['sub']}"
    _say(f"{who} ({person['user_type']}) at {person['iss']}, until {until}, renewed by itself.")


def _settings(chosen: argparse.Namespace) -> Endpoint:
    if chosen.database_url:
        return load(Exchange, given_url=chosen.url, database_url=chosen.database_url)
    return load(Endpoint, given_url=chosen.url)


def _say(sentence: str) -> None:
    sys.stdout.write(f"{sentence}\n")


if __name__ == "__main__":
    main()
