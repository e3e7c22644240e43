"""What passes between us and the channels, as rows."""

from django.db import models


class Notice(models.Model):
    """A notice that was believed, and whether it has been acted on."""

    pk = models.CompositePrimaryKey("merchant_id", "channel_account_id", "id")
    merchant_id = models.BigIntegerField()
    channel_account_id = models.BigIntegerField()
    id = models.TextField()
    kind = models.TextField()
    ref = models.TextField()
    received_at = models.DateTimeField()
    handled_at = models.DateTimeField(null=True)

    class Meta:
        managed = False
        db_table = "channels_notice"
