"""manage.py seed: the demo world of core/seed."""

import sys
from collections.abc import Iterable, Sequence
from typing import Any, TypeVar

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connection, transaction
from rich.console import Console
from rich.progress import track

from core.seed import demo_world, large, world

Item = TypeVar("Item")


class Command(BaseCommand):
    help = "Makes the demo world; run again it adds only what is missing."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--large", action="store_true", help=f"Also make the study '{large.STUDY.name}': 20 patients, 14 days."
        )
        parser.add_argument(
            "--vocabulary",
            action="store_true",
            help="Make only the kinds of data and the root organization, which every exchange needs.",
        )
        parser.add_argument(
            "--allow-demo-passwords", action="store_true", help="Make the demo's people even where DEBUG is off."
        )

    @transaction.atomic
    def handle(self, *, vocabulary: bool, allow_demo_passwords: bool, **options: Any) -> None:
        if not (settings.DEBUG or vocabulary or allow_demo_passwords):
            raise CommandError(
                "The demo's people have a password that everybody knows: DEBUG is off, so give --vocabulary to make "
                "only what every exchange needs, or --allow-demo-passwords to make them all the same."
            )
        with connection.cursor() as cursor:
            # Two at once would each find the world missing.
            cursor.execute("SELECT pg_advisory_xact_lock(hashtext('seed'))")
        world.write_vocabulary()
        if vocabulary:
            return
        world.write_people_and_studies()
        for person in _track(demo_world.PATIENTS, "Readings of the demo world"):
            world.write_readings(person)
        if options["large"]:
            self._make_large()

    def _make_large(self) -> None:
        study = world.make_study(large.STUDY)
        if study is None:
            return
        for person in _track(large.PATIENTS, large.STUDY.name):
            world.write_cgm_patient(study, person)
        with connection.cursor() as cursor:
            # Every table: a plan that knows the readings and not the consents takes a hundred times as long.
            cursor.execute("ANALYZE")


def _track(items: Sequence[Item], description: str) -> Iterable[Item]:
    """The items, with a progress bar on stderr where somebody is looking."""
    return track(items, description, console=Console(stderr=True), disable=not sys.stderr.isatty())
