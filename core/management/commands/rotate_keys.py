import argparse
import json
import re
from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from core.actions.signing_keys import replace_at_once, rotate
from core.models.signing_key import Algorithm, SigningKey, key_ring, signer
from core.policy.errors import InvalidInput

_UNITS = {"m": "minutes", "h": "hours", "d": "days"}


class Command(BaseCommand):
    help = "Make a new key to sign tokens with. It is published at once and signs after the overlap."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--algorithm", choices=Algorithm.values, default=Algorithm.RS256.value)
        parser.add_argument(
            "--overlap",
            type=_duration,
            default=timedelta(hours=1),
            help="how long it is published before it signs: 30m, 2h, 1d (default: 1h)",
        )
        parser.add_argument(
            "--now",
            action="store_true",
            help="a key has leaked: the new one signs at once, former ones are gone, and every signed token has ended",
        )
        parser.add_argument("--list", action="store_true", help="change nothing: print the keys")
        parser.add_argument("--json", action="store_true", help="print the keys in JSON")

    def handle(self, **options: Any) -> None:
        if not options["list"]:
            algorithm = Algorithm(options["algorithm"])
            try:
                replace_at_once(algorithm) if options["now"] else rotate(algorithm, overlap=options["overlap"])
            except InvalidInput as error:
                raise CommandError(str(error)) from None
        rows = _rows()
        self.stdout.write(json.dumps(rows, indent=2) if options["json"] else _table(rows))


def _rows() -> list[dict[str, str | None]]:
    """What may be known of each key."""
    ring = key_ring()
    signing = [signer(ring, algorithm) for algorithm in Algorithm]
    return [
        {
            "kid": key.kid,
            "algorithm": key.algorithm,
            "state": _state(key, key in signing),
            "active_from": key.active_from.isoformat(timespec="seconds"),
            "verify_until": key.verify_until.isoformat(timespec="seconds") if key.verify_until else None,
        }
        for key in ring
    ]


def _state(key: SigningKey, signs: bool) -> str:
    if signs:
        return "signing"
    if not key.is_published:
        return "ended"
    if key.active_from > timezone.now():
        return "next"
    return "unreadable" if key.key() is None and key.verify_until is None else "verifying"


def _table(rows: list[dict[str, str | None]]) -> str:
    lines = [list(rows[0]), *([value or "-" for value in row.values()] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines
    )


def _duration(text: str) -> timedelta:
    match = re.fullmatch(r"([1-9][0-9]{0,3})([mhd])", text)
    if match is None:
        raise argparse.ArgumentTypeError(f"'{text}' is no duration: write it as 30m, 2h or 1d.")
    return timedelta(**{_UNITS[match[2]]: int(match[1])})
