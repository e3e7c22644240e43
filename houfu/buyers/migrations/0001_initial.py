from django.db import migrations

from houfu.kernel.migration import run


class Migration(migrations.Migration):
    initial = True
    dependencies = [("merchants", "0001_initial")]
    operations = run(
        "buyers",
        "tables.sql",
        "buyers_stand_v1.sql",
        "buyers_hold_v1.sql",
        "buyers_look_v1.sql",
        "buyers_score_v1.sql",
    )
