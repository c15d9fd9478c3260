"""MCP tokens: who sees them, that they are used, and snapshots that bring no later study along."""

from django.db import migrations, models

from core.sql import run


class Migration(migrations.Migration):
    dependencies = [("core", "0015_accounts")]

    operations = [
        migrations.AddField(
            model_name="narrowingorganization",
            name="with_studies",
            field=models.BooleanField(default=True),
        ),
        migrations.CreateModel(
            name="McpTokenAccess",
            fields=[
                ("user_id", models.BigIntegerField(primary_key=True, serialize=False)),
                ("role", models.TextField()),
                ("token_id", models.BigIntegerField()),
            ],
            options={"db_table": "access_mcp_token", "managed": False},
        ),
        migrations.AddIndex(
            model_name="auditevent",
            index=models.Index(
                condition=models.Q(("client_id__startswith", "mcp-token-")),
                fields=["client_id", "id"],
                name="audit_by_mcp_token",
            ),
        ),
        run(
            "mcp_tokens_v1",
            reverse=[
                "DROP FUNCTION mcp_token_used",
                "DROP VIEW access_mcp_token, narrowing_named",
                """CREATE OR REPLACE VIEW narrowing_study AS
                SELECT narrowing_id, study_id FROM core_narrowingstudy
                UNION ALL
                SELECT link.narrowing_id, study.id FROM core_narrowingorganization link
                JOIN core_study study ON study.organization_id = link.organization_id
                UNION ALL
                SELECT narrowing.id, study.id FROM core_narrowing narrowing CROSS JOIN core_study study
                WHERE narrowing.everywhere""",
            ],
        ),
    ]
