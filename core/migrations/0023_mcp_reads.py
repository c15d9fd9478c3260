"""What the MCP server's role reads for its callers: who looked at a patient, and what a token is narrowed to."""

from django.db import migrations

from core.sql import run


class Migration(migrations.Migration):
    dependencies = [("core", "0022_peers")]

    operations = [
        run("access_log_v1", reverse="DROP FUNCTION access_log"),
        run(
            "mcp_reads_v1",
            reverse=(
                "REVOKE SELECT ON core_narrowing, core_narrowingstudy, core_narrowingorganization, core_narrowingcode,"
                " access_catalogue FROM jhe_mcp"
            ),
        ),
    ]
