"""manage.py mcp_token: tokens for agents without a browser, for whoever has the machine."""

import json
from argparse import ArgumentParser
from collections.abc import Iterable, Sequence
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from core.actions import mcp_tokens
from core.api.mcp_tokens import McpTokenAnswer
from core.models import McpToken, User
from core.policy.errors import DomainError
from core.policy.mcp_tokens import GRANTABLE
from core.policy.permissions import Permission

DOOR = "command"
LISTED = ("id", "user", "state", "expires", "lastUsed", "description")


class Command(BaseCommand):
    help = "Make, list, describe, revoke and delete MCP tokens, which act for a person within what they are made for."

    def add_arguments(self, parser: CommandParser) -> None:
        verbs = parser.add_subparsers(dest="verb", required=True, metavar="create|list|describe|revoke|delete")
        create = verbs.add_parser("create", help="make a token, and print it this once")
        create.add_argument("--user", required=True, metavar="E-MAIL", help="for whom it acts")
        create.add_argument(
            "--ttl",
            default=mcp_tokens.DEFAULT_TTL,
            metavar="TIME",
            help="how long, as 30d or 12h, or until when, as 2027-01-31; a year at most (default: %(default)s)",
        )
        _add_several(create, "study", type=int, metavar="ID", help="it is for this study")
        _add_several(create, "organization", type=int, metavar="ID", help="it is for this one and for its studies")
        _add_several(
            create,
            "permission",
            choices=[permission.value for permission in sorted(GRANTABLE)],
            metavar="PERMISSION",
            help="it can do this at most, as study:read (default: reading)",
        )
        create.add_argument(
            "--clone",
            action="store_true",
            help="name every study, organization and permission of the person now; what comes later adds nothing",
        )
        create.add_argument("--description", default="", metavar="TEXT", help="what it is for, in words")
        listing = verbs.add_parser("list", help="the tokens there are")
        listing.add_argument("--user", metavar="E-MAIL", help="only those of this person")
        for verb, meaning in (
            ("describe", "all there is to know of a token but the token itself"),
            ("revoke", "end a token at once; it stays listed for some time"),
            ("delete", "end a token and forget it; the audit trail keeps what it did"),
        ):
            verbs.add_parser(verb, help=meaning).add_argument("id", type=int)
        for one in verbs.choices.values():
            one.add_argument("-o", "--output", choices=["table", "json"], default="table")

    def handle(self, *, verb: str, output: str, **options: Any) -> None:
        try:
            said = getattr(self, f"_{verb}")(options)
        except DomainError as error:
            raise CommandError(str(error)) from None
        self.stdout.write(json.dumps(said, indent=2) if output == "json" else _table(said))

    def _create(self, options: dict[str, Any]) -> dict[str, Any]:
        row, token = mcp_tokens.create_token(
            actor=None,
            door=DOOR,
            user=_user(options["user"]),
            ttl=options["ttl"],
            studies=options["study"],
            organizations=options["organization"],
            permissions=[Permission(value) for value in options["permission"]],
            clone=options["clone"],
            description=options["description"],
        )
        return {"token": token, **_described(row)}

    def _list(self, options: dict[str, Any]) -> list[dict[str, Any]]:
        tokens = McpToken.objects.select_related("user", "narrowing")
        tokens = tokens.prefetch_related("narrowing__studies", "narrowing__organizations")
        if options["user"]:
            tokens = tokens.filter(user=_user(options["user"]))
        return [_described(token) for token in tokens]

    def _describe(self, options: dict[str, Any]) -> dict[str, Any]:
        return _described(_token(options["id"]))

    def _revoke(self, options: dict[str, Any]) -> dict[str, Any]:
        token = _token(options["id"])
        mcp_tokens.revoke_token(actor=None, door=DOOR, token=token)
        return _described(token)

    def _delete(self, options: dict[str, Any]) -> dict[str, Any]:
        token = _token(options["id"])
        said = _described(token)
        mcp_tokens.delete_token(actor=None, door=DOOR, token=token)
        return {**said, "state": "deleted"}


def _add_several(parser: ArgumentParser, name: str, **options: Any) -> None:
    options["help"] += "; can be repeated"
    parser.add_argument(f"--{name}", action="append", default=[], **options)


def _user(email: str) -> User:
    try:
        return User.objects.get_by_natural_key(email)
    except User.DoesNotExist:
        raise CommandError(f"Nobody here has the e-mail {email}.") from None


def _token(pk: int) -> McpToken:
    try:
        return McpToken.objects.get(pk=pk)
    except McpToken.DoesNotExist:
        raise CommandError(f"There is no MCP token {pk}: `manage.py mcp_token list` has them all.") from None


def _described(token: McpToken) -> dict[str, Any]:
    """As REST answers it, with all studies and organizations that were named for it."""
    return dict(McpTokenAnswer(token).data)


def _table(said: dict[str, Any] | list[dict[str, Any]]) -> str:
    if isinstance(said, dict):
        return _columns([name, _cell(value)] for name, value in said.items())
    return _columns([LISTED, *([_cell(row[name]) for name in LISTED] for row in said)])


def _columns(rows: Iterable[Sequence[str]]) -> str:
    rows = list(rows)
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )


def _cell(value: Any) -> str:
    match value:
        case None | "":
            return "-"
        case dict():
            return str(value.get("email") or f"{value['id']} ({value['name']})")
        case list():
            return ", ".join(map(_cell, value)) or "-"
    return str(value)
