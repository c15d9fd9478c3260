from typing import Any

from django.core.management.base import BaseCommand

from core.actions.sealing import seal_audit


class Command(BaseCommand):
    help = "Put the audit rows that are not yet sealed under seals. Run it every few minutes (docs/audit.md)."

    def handle(self, *_: Any, **__: Any) -> None:
        sealed = seal_audit()
        self.stdout.write(f"{sealed.rows} rows under {sealed.seals} new seals.")
