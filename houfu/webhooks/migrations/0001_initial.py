from django.db import migrations

from houfu.kernel.migration import run


class Migration(migrations.Migration):
    initial = True
    dependencies = [("history", "0001_initial"), ("merchants", "0001_initial")]
    operations = run(
        "webhooks",
        "tables.sql",
        "webhooks_wants_v1.sql",
        "webhooks_follow_v1.sql",
        "webhooks_replay_v1.sql",
        "webhooks_due_v1.sql",
        "webhooks_conclude_v1.sql",
    )
