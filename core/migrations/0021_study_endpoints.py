"""The MCP server has an endpoint for each study: whoever asks there is narrowed to it, in the database."""

import django.db.models.deletion
from django.db import migrations, models
from django.db.models.functions import Coalesce

from core.sql import run


class Migration(migrations.Migration):
    dependencies = [("core", "0020_without_refresh")]

    operations = [
        migrations.AddField(
            "narrowing",
            "within",
            models.ForeignKey(
                help_text="The narrowing that this cuts further, and goes with; None: what the person reaches.",
                null=True,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="narrower",
                to="core.narrowing",
            ),
        ),
        migrations.AddField(
            "narrowing",
            "endpoint",
            models.ForeignKey(
                help_text="The study whose MCP endpoint this is for.",
                null=True,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="+",
                to="core.study",
            ),
        ),
        migrations.AddConstraint(
            "narrowing",
            models.UniqueConstraint(
                models.F("user"), Coalesce("within", 0), models.F("endpoint"), name="narrowing_once_per_endpoint"
            ),
        ),
        run(
            "study_endpoints_v1",
            reverse=[
                "DROP FUNCTION study_caller",
                """CREATE OR REPLACE VIEW narrowing_study AS
                SELECT narrowing_id, study_id FROM core_narrowingstudy
                UNION ALL
                SELECT link.narrowing_id, study.id FROM core_narrowingorganization link
                JOIN core_study study ON study.organization_id = link.organization_id
                WHERE link.with_studies
                UNION ALL
                SELECT narrowing.id, study.id FROM core_narrowing narrowing CROSS JOIN core_study study
                WHERE narrowing.everywhere""",
                "DROP VIEW narrowing_alone",
            ],
        ),
    ]
