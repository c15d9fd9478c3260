"""The command line: python -m mcp_server http | stdio | login | logout | whoami | profiles | test"""

import argparse
import asyncio
from collections.abc import Callable
from typing import TypeAlias

from core.policy.errors import DomainError
from mcp_server import logs

Command = Callable[[argparse.Namespace], None]
Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"


def main() -> None:
    chosen = _parser().parse_args()
    logs.configure()
    try:
        chosen.run(chosen)
    except DomainError as error:
        raise SystemExit(str(error)) from None
    except KeyboardInterrupt:
        raise SystemExit(130) from None


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("python -m mcp_server", description="The MCP server of JupyterHealth Exchange.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _command(commands, "http", "serve Streamable HTTP", _http)
    stdio = _command(commands, "stdio", "serve a host that starts this program, such as Claude Desktop", _stdio)
    login = _command(commands, "login", "log in, in the browser", _person("login"))
    logout = _command(commands, "logout", "forget the login, here and at the exchange", _person("logout"))
    whoami = _command(
        commands, "whoami", "who is logged in, where, until when, and for which studies", _person("whoami")
    )
    profiles = _command(commands, "profiles", "list the exchanges that there are logins for", _person("profiles"))
    _of_any_endpoint(_command(commands, "test", "check an MCP endpoint, this exchange's or any other", _test))
    for command in (stdio, login, logout, whoami):
        _where(command)
    for command in (stdio, login):
        command.add_argument(
            "--device",
            action="store_true",
            help="log in on another device, with a code (for machines without a browser)",
        )
    logout.add_argument("--all", action="store_true", help="forget every login on this machine")
    for command in (whoami, profiles):
        command.add_argument("-o", "--output", choices=("text", "json"), default="text", help="how to print it")
    return parser


def _command(commands: Commands, name: str, help_: str, run: Command) -> argparse.ArgumentParser:
    command = commands.add_parser(name, help=help_, description=f"{help_[0].upper()}{help_[1:]}.")
    command.set_defaults(run=run, run_as=name)
    return command


def _where(command: argparse.ArgumentParser) -> None:
    command.add_argument("--url", metavar="URL", help="the MCP endpoint of the exchange (default: $JHE_MCP_URL)")
    command.add_argument("--profile", metavar="NAME", help="a name for an exchange and a login (default: $JHE_PROFILE)")
    command.add_argument(
        "--database-url",
        metavar="URL",
        help="ask this database instead of the endpoint, for those who run the exchange",
    )


def _of_any_endpoint(command: argparse.ArgumentParser) -> None:
    command.epilog = (
        "Ends with 0 when all is well, 1 when it could not be asked (transport, login), 2 when it breaks the contract, "
        "the tool refuses or the command line is wrong."
    )
    command.add_argument("url", metavar="URL", help="the MCP endpoint, over Streamable HTTP")
    command.add_argument(
        "--token",
        metavar="T",
        help="a bearer token. `ps` shows it to everybody on this machine: prefer $JHE_MCP_TOKEN, which is the default",
    )
    command.add_argument("--tool", metavar="NAME", help="also call this tool, and hold its answer against its schema")
    command.add_argument("--args", metavar="JSON", default="{}", help="the tool's arguments: a JSON object")
    command.add_argument(
        "--expect-tools", metavar="A,B", default="", help="tools that must be offered, separated by commas"
    )
    command.add_argument("--timeout", metavar="S", type=float, default=30.0, help="seconds for all of it (default: 30)")
    command.add_argument("--no-health", dest="health", action="store_false", help="do not ask for /healthz")
    command.add_argument("-o", "--output", choices=("text", "json"), default="text", help="how to print it")


def _http(_: argparse.Namespace) -> None:
    from mcp_server.settings import HttpService, load
    from mcp_server.transports.serving import serve

    serve(load(HttpService))


def _stdio(chosen: argparse.Namespace) -> None:
    from mcp_server.machine import Machine
    from mcp_server.transports.stdio import serve

    machine = Machine.of(chosen)
    asyncio.run(serve(machine.settings, machine.tokens(on_another_device=chosen.device)))


def _test(chosen: argparse.Namespace) -> None:
    from mcp_server.contract.command import run

    run(chosen)


def _person(name: str) -> Command:
    def run(chosen: argparse.Namespace) -> None:
        from mcp_server import commands  # what the other commands need is not loaded

        asyncio.run(getattr(commands, name)(chosen))

    return run


if __name__ == "__main__":
    main()
