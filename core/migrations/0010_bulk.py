"""Bulk export and import: jobs, and the files that they read and make."""

from typing import Any

import django.contrib.postgres.fields
import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

import core.models.bulk
from core.sql import run


def numbers(help_text: str = "") -> Any:
    return django.contrib.postgres.fields.ArrayField(
        base_field=models.BigIntegerField(), default=list, help_text=help_text, size=None
    )


class Migration(migrations.Migration):
    dependencies = [("core", "0009_fhir"), migrations.swappable_dependency(settings.AUTH_USER_MODEL)]

    operations = [
        migrations.CreateModel(
            name="BulkJob",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("kind", models.CharField(choices=[("export", "Export"), ("import", "Import")], max_length=8)),
                ("client_id", models.TextField(blank=True)),
                (
                    "token_key",
                    models.TextField(blank=True, help_text="Which token asked: a hash or a jti, never the token."),
                ),
                (
                    "scopes",
                    models.TextField(blank=True, help_text="What that token was given for; the job does no more."),
                ),
                ("source", models.TextField(blank=True, help_text="The address that it was asked for from.")),
                ("request", models.TextField(help_text="The URL of the kick-off, as the manifest repeats it.")),
                (
                    "types",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.TextField(),
                        default=list,
                        help_text="The types of resources to export, in order.",
                        size=None,
                    ),
                ),
                ("since", models.DateTimeField(help_text="Export what changed after this alone.", null=True)),
                (
                    "transaction_time",
                    models.DateTimeField(help_text="What was there by then is in the export.", null=True),
                ),
                ("position", models.JSONField(default=dict)),
                (
                    "attempts",
                    models.PositiveSmallIntegerField(
                        default=0, help_text="How often it was begun since it last got on."
                    ),
                ),
                ("created", models.DateTimeField(auto_now_add=True)),
                ("expires", models.DateTimeField(default=core.models.bulk._in_a_day)),
                ("finished", models.DateTimeField(null=True)),
                ("fault", models.TextField(blank=True, help_text="Why it did not succeed.")),
                (
                    "study",
                    models.ForeignKey(
                        help_text="Export this study's data alone.",
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        to="core.study",
                    ),
                ),
                (
                    "user",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="bulk_jobs",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "ordering": ["id"],
                "indexes": [models.Index(fields=["expires"], name="bulk_job_by_expiry")],
            },
        ),
        migrations.CreateModel(
            name="BulkFile",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "part",
                    models.CharField(
                        choices=[("input", "Input"), ("output", "Output"), ("error", "Error")], max_length=8
                    ),
                ),
                ("resource_type", models.TextField()),
                ("number", models.PositiveIntegerField()),
                ("count", models.PositiveIntegerField()),
                ("keys", numbers()),
                ("patient_ids", numbers(help_text="Whose data it is, each once.")),
                ("content", models.BinaryField(default=bytes, help_text="gzip (RFC 1952)")),
                (
                    "job",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="files", to="core.bulkjob"
                    ),
                ),
            ],
            options={
                "ordering": ["id"],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("job", "part", "resource_type", "number"), name="bulk_file_once"
                    )
                ],
            },
        ),
        run("bulk_v1", reverse=migrations.RunSQL.noop),
    ]
