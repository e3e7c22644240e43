"""The ledger as rows; balances move in sql/ alone."""

from django.db import models


class Account(models.Model):
    """An account of one merchant: what it counts (`kind`), for whom (`owner`), in which unit."""

    pk = models.CompositePrimaryKey("merchant_id", "id")
    merchant_id = models.BigIntegerField()
    id = models.BigIntegerField()
    kind = models.TextField()
    owner = models.BigIntegerField()
    unit = models.TextField()
    balance_fen = models.BigIntegerField()

    class Meta:
        managed = False
        db_table = "ledger_account"


class Entry(models.Model):
    """An amount moved from a credit account to a debit account by a transfer."""

    pk = models.CompositePrimaryKey("merchant_id", "transfer_id", "unit", "no")
    merchant_id = models.BigIntegerField()
    transfer_id = models.UUIDField()
    unit = models.TextField()
    no = models.IntegerField()
    debit_id = models.BigIntegerField()
    credit_id = models.BigIntegerField()
    amount_fen = models.BigIntegerField()

    class Meta:
        managed = False
        db_table = "ledger_entry"
