"""Limits as rows; the amounts are balances of the ledger."""

from django.db import models


class Pool(models.Model):
    """The shared limit of a group: how much it holds, and how far a member may reach into it."""

    pk = models.CompositePrimaryKey("merchant_id", "id")
    merchant_id = models.BigIntegerField()
    id = models.BigIntegerField()
    group_id = models.BigIntegerField()
    share = models.SmallIntegerField()
    limit_fen = models.BigIntegerField()
    state = models.TextField()
    opened_at = models.DateTimeField()

    class Meta:
        managed = False
        db_table = "limits_pool"


class Member(models.Model):
    """A store's place in a pool, and what it put in."""

    pk = models.CompositePrimaryKey("merchant_id", "store_id")
    merchant_id = models.BigIntegerField()
    store_id = models.BigIntegerField()
    pool_id = models.BigIntegerField()
    contributed_fen = models.BigIntegerField()
    joined_at = models.DateTimeField()

    class Meta:
        managed = False
        db_table = "limits_member"


class Loan(models.Model):
    """A temporary loan of limit."""

    pk = models.CompositePrimaryKey("merchant_id", "id")
    merchant_id = models.BigIntegerField()
    id = models.BigIntegerField()
    store_id = models.BigIntegerField()
    amount_fen = models.BigIntegerField()
    repaid_fen = models.BigIntegerField()
    state = models.TextField()
    opened_at = models.DateTimeField()
    due_at = models.DateTimeField()

    class Meta:
        managed = False
        db_table = "limits_loan"


class Recovery(models.Model):
    """How far a store has earned its reduced limit back."""

    pk = models.CompositePrimaryKey("merchant_id", "store_id")
    merchant_id = models.BigIntegerField()
    store_id = models.BigIntegerField()
    completed = models.BigIntegerField()
    booked_fen = models.BigIntegerField()

    class Meta:
        managed = False
        db_table = "limits_recovery"
