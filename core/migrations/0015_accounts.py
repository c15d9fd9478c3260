"""Sign-up by code, the cache that all processes share, and accounts whose e-mail counts as verified."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

from core.sql import run


class Migration(migrations.Migration):
    dependencies = [
        ("core", "0014_federation"),
        ("account", "0009_emailaddress_unique_primary_email"),
    ]

    operations = [
        migrations.CreateModel(
            name="SignUpCode",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("code_hash", models.CharField(help_text="SHA-256 of the code, in hexadecimal.", max_length=64, unique=True)),
                ("role", models.CharField(blank=True, choices=[
                            ("viewer", "viewer: Reads the organization's studies, patients and consented data."),
                            ("member", "member: Also manages patients, studies and enrolments."),
                            ("manager", "manager: Also manages practitioners, sub-organizations and tokens."),
                        ], max_length=16)),
                ("email", models.EmailField(blank=True, help_text="Whom it is for; empty for whoever has it.", max_length=254)),
                ("expires", models.DateTimeField()),
                ("uses_left", models.PositiveSmallIntegerField(default=1)),
                ("created", models.DateTimeField(auto_now_add=True)),
                ("maker", models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name="sign_up_codes", to=settings.AUTH_USER_MODEL)),
                ("organization", models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.CASCADE, related_name="+", to="core.organization")),
            ],
            options={"ordering": ["-id"]},
        ),
        migrations.CreateModel(
            name="SignUp",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("code", models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name="sign_ups", to="core.signupcode")),
                ("user", models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, related_name="sign_up", to=settings.AUTH_USER_MODEL)),
            ],
        ),
        migrations.AddConstraint(
            model_name="signupcode",
            constraint=models.CheckConstraint(
                condition=models.Q(("organization", None), ("role", ""))
                | models.Q(("organization__isnull", False), models.Q(("role", ""), _negated=True)),
                name="sign_up_code_role_in_organization",
            ),
        ),
        run("shared_cache_v1", reverse="DROP TABLE shared_cache"),
        run("verified_emails_v1", reverse=migrations.RunSQL.noop),
    ]
