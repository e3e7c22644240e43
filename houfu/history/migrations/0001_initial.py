from django.db import migrations

from houfu.kernel.migration import run


class Migration(migrations.Migration):
    initial = True
    dependencies = [("kernel", "0001_initial")]
    operations = run(
        "history", "tables.sql", "history_netstring_v1.sql", "history_hash_v1.sql", "history_append_v1.sql"
    )
