"""The audit trail is sealed in a hash chain, found by patient and study, and out of the reach of the web service's own
database role, which is made here."""

from django.contrib.postgres.indexes import GinIndex
from django.db import migrations, models

import core.models.audit
from core.sql import run


class Migration(migrations.Migration):
    dependencies = [("core", "0006_history")]

    operations = [
        migrations.AlterField(
            model_name="auditevent",
            name="door",
            field=models.TextField(help_text="The way in: rest, fhir, mcp, web, admin, command or import."),
        ),
        migrations.AddIndex(
            model_name="auditevent",
            index=models.Index(
                condition=models.Q(("study_id__isnull", False)), fields=["study_id", "id"], name="audit_by_study"
            ),
        ),
        migrations.AddIndex(model_name="auditevent", index=GinIndex(fields=["patient_ids"], name="audit_by_patient")),
        migrations.CreateModel(
            name="AuditSeal",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("day", models.DateField(help_text="On which it was sealed, UTC.")),
                ("number", models.IntegerField(help_text="Counts the seals of a day, from 1.")),
                ("sealed_at", models.DateTimeField()),
                ("row_count", models.IntegerField()),
                ("ids", core.models.audit.IdRanges(help_text="The ids of the rows under this seal.")),
                ("last_id", models.BigIntegerField(help_text="The highest id under this seal or one before.")),
                (
                    "awaited",
                    core.models.audit.IdRanges(
                        help_text="Lower ids under no seal yet: a transaction may still bring them."
                    ),
                ),
                (
                    "horizon",
                    models.BigIntegerField(
                        help_text="Transactions from this id on bring none of the awaited.", null=True
                    ),
                ),
                (
                    "digests",
                    models.BinaryField(
                        help_text="The first 8 bytes of each row's SHA-256, to find the row that was changed."
                    ),
                ),
                ("previous_hash", models.TextField(help_text="Of the seal before; 64 zeros for the first.")),
                ("hash", models.TextField(help_text="SHA-256 over audit_seal_line and each row's audit_line.")),
            ],
            options={
                "ordering": ["id"],
                "constraints": [
                    models.UniqueConstraint(fields=["day", "number"], name="audit_seal_once"),
                    models.UniqueConstraint(fields=["previous_hash"], name="audit_seal_chain_without_fork"),
                ],
            },
        ),
        migrations.CreateModel(
            name="AuditAccess",
            fields=[
                ("user_id", models.BigIntegerField(primary_key=True, serialize=False)),
                ("role", models.TextField()),
                ("patient_id", models.BigIntegerField(null=True)),
                ("study_id", models.BigIntegerField(null=True)),
                ("actor_id", models.BigIntegerField(null=True)),
            ],
            options={"db_table": "access_audit", "managed": False},
        ),
        run(
            "access_audit_v1",
            reverse="""
            DROP VIEW access_audit;
            ALTER TABLE core_auditevent ALTER COLUMN user_id SET STATISTICS -1,
                ALTER COLUMN study_id SET STATISTICS -1, ALTER COLUMN patient_ids SET STATISTICS -1;
            """,
        ),
        run("audit_v2", reverse=migrations.RunSQL.noop),  # it serves what was before as well
        run(
            "audit_seal_v1",
            reverse="""
            DROP TRIGGER audit_seal_is_append_only ON core_auditseal;
            DROP FUNCTION audit_seal;
            DROP FUNCTION audit_seal_line;
            DROP FUNCTION audit_line;
            """,
        ),
        # The role belongs to the whole server, so it stays; what it may do here goes.
        run("role_jhe_app_v1", reverse="DROP OWNED BY jhe_app"),
    ]
