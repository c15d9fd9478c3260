"""manage.py import_cgm: files of continuous glucose monitors into a study."""

import csv
import sys
from argparse import ArgumentParser
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from operator import attrgetter
from pathlib import Path
from typing import Any, TextIO
from zoneinfo import ZoneInfo

from django.core.management.base import BaseCommand, CommandError
from django.db import reset_queries, transaction
from rich.console import Console
from rich.progress import Progress

from core.actions.cgm_import import Recorded, glucose_of, record_readings, subject_system
from core.importers import FORMATS, BadRow, OtherRow, Reading, UnknownFormat, encoding_of, lines_of, read
from core.models import Study
from core.policy.errors import InvalidInput

Row = Reading | BadRow | OtherRow
Report = Callable[[Sequence[str]], object]

BATCH = 1000
NOTHING_IMPORTED = (
    "Not one reading was imported. If the people are new to the study, add --create-patients; "
    "if the file names nobody, say whose it is with --subject."
)
SHOWN = 20
"""Bad rows of a file that are printed; --report has them all."""


@dataclass(slots=True)
class Tally:
    recorded: int = 0
    known: int = 0
    bad: int = 0
    other: int = 0
    new_patients: int = 0
    first_bad: list[BadRow] = field(default_factory=list)

    def __str__(self) -> str:
        return (
            f"{self.recorded:,} readings recorded, {self.known:,} there already, {self.bad:,} bad rows, "
            f"{self.other:,} rows without a reading, {self.new_patients:,} patients created"
        )


class Command(BaseCommand):
    help = "Imports files of continuous glucose monitors into a study; what was imported before stays as it is."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("files", nargs="+", metavar="FILE", type=Path)
        parser.add_argument(
            "--format", choices=["auto", *FORMATS], default="auto", help="auto, the default, goes by the heading"
        )
        parser.add_argument("--study", required=True, metavar="NAME_OR_ID")
        parser.add_argument(
            "--create-patients",
            action="store_true",
            help="register and enrol people who are not known, and record their consent to blood glucose",
        )
        parser.add_argument(
            "--timezone", default="UTC", metavar="TZ", help="of local times, such as America/New_York (default: UTC)"
        )
        parser.add_argument("--dry-run", action="store_true", help="do everything, then keep nothing of it")
        parser.add_argument(
            "--subject", metavar="ID", help="the person of files that name none (default: the file's name)"
        )
        parser.add_argument(
            "--identifier-system",
            metavar="URI",
            help="of the patient identifiers that files name people by (default: urn:jhe:study:<id>:subject)",
        )
        parser.add_argument("--report", metavar="FILE", type=Path, help="write every bad row to this new CSV file")

    def handle(self, *, files: list[Path], dry_run: bool, **options: Any) -> None:
        study = _study(options["study"])
        zone = _zone(options["timezone"])
        chosen = options["format"]
        formats = list(FORMATS.values()) if chosen == "auto" else [FORMATS[chosen]]
        if missing := [path for path in files if not path.is_file()]:
            raise CommandError(f"There is no file {missing[0]}.")
        try:
            record = partial(
                record_readings,
                study=study,
                code=glucose_of(study),
                identifier_system=options["identifier_system"] or subject_system(study),
                create_patients=options["create_patients"],
            )
        except InvalidInput as error:
            raise CommandError(str(error)) from error
        imported = 0
        with _transaction(keep=not dry_run), _report(options["report"]) as report:
            for path in files:
                with _readable(path), _progress() as progress, _text(progress, path) as file:
                    rows = read(lines_of(file), formats=formats, zone=zone, subject=options["subject"] or path.stem)
                    tally = _import(path, rows, record, report)
                self._tell(path, tally, dry_run)
                imported += tally.recorded + tally.known
        if not imported:
            raise CommandError(NOTHING_IMPORTED)

    def _tell(self, path: Path, tally: Tally, dry_run: bool) -> None:
        for row in tally.first_bad:
            self.stderr.write(f"{path.name}, line {row.line}: {row.reason}.")
        if tally.bad > SHOWN:
            self.stderr.write(f"{path.name}: {tally.bad - SHOWN:,} more bad rows; --report FILE lists them all.")
        self.stdout.write(f"{path.name}: {tally}{'; dry run: nothing was kept' if dry_run else ''}.")


def _import(path: Path, rows: Iterator[Row], record: Callable[..., Recorded], report: Report) -> Tally:
    tally = Tally()
    while batch := list(islice(rows, BATCH)):
        outcome = record(readings=[row for row in batch if isinstance(row, Reading)])
        reset_queries()  # with DEBUG on, Django remembers every statement with its data
        bad = [row for row in batch if isinstance(row, BadRow)] + outcome.refused
        bad.sort(key=attrgetter("line"))
        for row in bad:
            report([str(path), str(row.line), row.reason])
        tally.first_bad += bad[: SHOWN - len(tally.first_bad)]
        tally.bad += len(bad)
        tally.other += sum(isinstance(row, OtherRow) for row in batch)
        tally.recorded += outcome.recorded
        tally.known += outcome.known
        tally.new_patients += outcome.new_patients
    return tally


def _study(name_or_id: str) -> Study:
    by_id = Study.objects.filter(pk=int(name_or_id)) if name_or_id.isdecimal() else Study.objects.none()
    studies = list((by_id or Study.objects.filter(name=name_or_id)).select_related("organization"))
    if not studies:
        raise CommandError(f"There is no study '{name_or_id}': give the id or the whole name of one.")
    if len(studies) > 1:
        which = ", ".join(f"{study.pk} ({study.organization.name})" for study in studies)
        raise CommandError(f"{len(studies)} studies are named '{name_or_id}': give the id of the one meant: {which}.")
    return studies[0]


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:  # a folder of the time zone database is an OSError
        raise CommandError(
            f"There is no time zone '{name}': use a name of the IANA database, such as America/New_York."
        ) from error


@contextmanager
def _transaction(*, keep: bool) -> Iterator[None]:
    """Each batch is a transaction of its own, unless nothing is to be kept: then all are one that is rolled back."""
    if keep:
        yield
        return
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


@contextmanager
def _report(path: Path | None) -> Iterator[Report]:
    if path is None:
        yield lambda _: None
        return
    try:
        file = path.open("x", newline="", encoding="utf-8")
    except FileExistsError as error:  # it could be one of the files to read, under this or another name
        raise CommandError(f"The report {path} exists already: give the name of a new file.") from error
    except OSError as error:
        raise CommandError(f"The report {path} cannot be written: {error.strerror}.") from error
    with file:
        writer = csv.writer(file)
        writer.writerow(["file", "line", "reason"])
        yield writer.writerow


def _progress() -> Progress:
    return Progress(console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty())


def _text(progress: Progress, path: Path) -> TextIO:
    return progress.open(path, "r", encoding=encoding_of(path), errors="replace", description=path.name)


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    try:
        yield
    except UnknownFormat as error:
        raise CommandError(f"{path} cannot be imported: {error}.") from error
    except OSError as error:
        raise CommandError(f"{path} cannot be read: {error.strerror}.") from error
