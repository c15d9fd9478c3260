from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("core", "0023_mcp_reads")]

    operations: list[migrations.operations.base.Operation] = []
