import argparse
import dataclasses
import re
from datetime import date
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.core.serializers.json import DjangoJSONEncoder

from core.actions.verifying import Break, Verdict, verify_audit
from core.models import AuditSeal


class Command(BaseCommand):
    help = "Compute the seals of the audit trail again. Ends with 1 and says where, when the trail is not what it was."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--day", type=_day, help="Only the seals of this day, UTC: 2026-09-01.")
        parser.add_argument("--from", dest="first_day", type=_day, help="Only the seals of this day and later.")
        parser.add_argument("--to", dest="last_day", type=_day, help="Only the seals of this day and earlier.")
        parser.add_argument("--expect", type=_hash, help="A hash kept elsewhere that must be in the chain.")
        parser.add_argument("--print-head", action="store_true", help="Print the newest hash, to be kept, and no more.")
        parser.add_argument("--json", action="store_true", help="Answer in JSON.")

    def handle(self, **options: Any) -> None:
        if options["print_head"]:
            newest = AuditSeal.objects.last()
            self.stdout.write(newest.hash if newest else "")
            return
        if options["day"] and (options["first_day"] or options["last_day"]):
            raise CommandError("Give --day, or --from and --to, not both.")
        verdict = verify_audit(
            first_day=options["day"] or options["first_day"],
            last_day=options["day"] or options["last_day"],
            expect=options["expect"] or "",
        )
        self.stdout.write(_json(verdict) if options["json"] else "\n".join(_lines(verdict)))
        if verdict.breaks:
            raise CommandError("The audit trail is not what was sealed.")


def _json(verdict: Verdict) -> str:
    return DjangoJSONEncoder(indent=2).encode(dataclasses.asdict(verdict))


def _lines(verdict: Verdict) -> list[str]:
    lines = [_line(found) for found in verdict.breaks]
    lines.append(f"Rows: {verdict.rows}, seals: {verdict.seals}: {'BROKEN' if verdict.breaks else 'whole'}.")
    if verdict.waiting_count:
        lines.append(
            f"{verdict.waiting_count} rows wait for a seal, the oldest since {verdict.waiting_since:%F %T} UTC."
        )
    if verdict.head:
        lines.append(f"The newest hash: {verdict.head}")
    return lines


def _line(found: Break) -> str:
    where = f"{found.day} seal {found.number}: " if found.day else ""
    which = f" Ids: {found.ids}" if found.ids else ""
    return f"{where}{found.sentence}{which}"


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"'{text}' is no day: write it as 2026-09-01.") from None


def _hash(text: str) -> str:
    if not re.fullmatch("[0-9a-f]{64}", text):
        raise argparse.ArgumentTypeError("a hash is 64 digits 0-9 and a-f, as --print-head prints it.")
    return text
