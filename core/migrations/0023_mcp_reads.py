"""What the MCP server's role reads for its callers: who looked at a patient, and what a token is narrowed to."""

from django.db import migrations, models

from core.sql import run


class Migration(migrations.Migration):
    dependencies = [("core", "0022_peers")]

    operations = [
        migrations.CreateModel(
            name="AuditWithin",
            fields=[
                ("user_id", models.BigIntegerField(primary_key=True, serialize=False)),
                ("study_id", models.BigIntegerField(null=True)),
            ],
            options={"db_table": "access_audit_within", "managed": False},
        ),
        run("access_log_v1", reverse=["DROP FUNCTION access_log", "DROP VIEW access_audit_within"]),
        run(
            "mcp_reads_v1",
            reverse=(
                "REVOKE SELECT ON core_narrowing, core_narrowingstudy, core_narrowingorganization, core_narrowingcode,"
                " access_catalogue FROM jhe_mcp"
            ),
        ),
    ]
