"""Statements as rows."""

from django.db import models


class Statement(models.Model):
    """A day of a merchant's account at a channel, as far as it was fetched."""

    pk = models.CompositePrimaryKey("merchant_id", "channel_account_id", "day")
    merchant_id = models.BigIntegerField()
    channel_account_id = models.BigIntegerField()
    day = models.DateField()
    final = models.BooleanField()
    lines = models.IntegerField()
    fetched_at = models.DateTimeField()

    class Meta:
        managed = False
        db_table = "reconciliation_statement"


class Line(models.Model):
    """A line of a statement, and what the books say to it."""

    pk = models.CompositePrimaryKey("merchant_id", "channel_account_id", "day", "no")
    merchant_id = models.BigIntegerField()
    channel_account_id = models.BigIntegerField()
    day = models.DateField()
    no = models.TextField()
    kind = models.TextField()
    ref = models.TextField()
    amount_fen = models.BigIntegerField()
    fee_fen = models.BigIntegerField()
    at = models.DateTimeField()
    outcome = models.TextField()
    code = models.TextField()

    class Meta:
        managed = False
        db_table = "reconciliation_line"
