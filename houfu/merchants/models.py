"""Merchants as rows."""

from django.db import models


class Merchant(models.Model):
    """A legal person, known by its unified social credit code."""

    merchant_id = models.BigAutoField(primary_key=True)
    name = models.TextField()
    uscc = models.TextField()
    uscc_verified_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField()

    class Meta:
        managed = False
        db_table = "merchants_merchant"


class ChannelAccount(models.Model):
    """The principal under which a payment channel knows the merchant."""

    pk = models.CompositePrimaryKey("merchant_id", "id")
    merchant_id = models.BigIntegerField()
    id = models.BigIntegerField()
    channel = models.TextField()
    principal = models.TextField()
    maturity_days = models.SmallIntegerField(null=True)
    created_at = models.DateTimeField()

    class Meta:
        managed = False
        db_table = "merchants_channel_account"


class LogisticsAgreement(models.Model):
    """Under which what an account, or one of its stores, is credited matures sooner (O4)."""

    pk = models.CompositePrimaryKey("merchant_id", "id")
    merchant_id = models.BigIntegerField()
    id = models.BigIntegerField()
    channel_account_id = models.BigIntegerField()
    store_id = models.BigIntegerField(null=True)
    carrier_id = models.BigIntegerField()
    document = models.TextField()
    valid_from = models.DateField()
    valid_until = models.DateField()
    noted_by = models.TextField()
    noted_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)

    class Meta:
        managed = False
        db_table = "merchants_logistics_agreement"


class Group(models.Model):
    """Up to ten stores of one merchant and one principal that may share limits."""

    pk = models.CompositePrimaryKey("merchant_id", "id")
    merchant_id = models.BigIntegerField()
    id = models.BigIntegerField()
    name = models.TextField()
    channel_account_id = models.BigIntegerField()
    size = models.SmallIntegerField()
    created_at = models.DateTimeField()

    class Meta:
        managed = False
        db_table = "merchants_group"


class Store(models.Model):
    """A shop of a merchant."""

    pk = models.CompositePrimaryKey("merchant_id", "id")
    merchant_id = models.BigIntegerField()
    id = models.BigIntegerField()
    code = models.TextField()
    name = models.TextField()
    channel_account_id = models.BigIntegerField()
    group_id = models.BigIntegerField(null=True)
    state = models.TextField()
    frozen_for = models.TextField(null=True)
    sharing = models.BooleanField(default=False)
    created_at = models.DateTimeField()

    class Meta:
        managed = False
        db_table = "merchants_store"
