from django.db import migrations

from houfu.kernel.migration import run


class Migration(migrations.Migration):
    initial = True
    dependencies = [("history", "0001_initial")]
    operations = run(
        "ledger", "tables.sql", "ledger_belong_v1.sql", "ledger_open_v1.sql", "ledger_lock_v1.sql", "ledger_post_v1.sql"
    )
