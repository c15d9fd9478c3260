from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("core", "0022_peers")]

    operations: list[migrations.operations.base.Operation] = []
