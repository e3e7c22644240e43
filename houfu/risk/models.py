"""Risk as rows."""

from django.db import models


class RuleVersion(models.Model):
    """A version of a rule, the platform's."""

    pk = models.CompositePrimaryKey("rule", "version")
    rule = models.TextField()
    version = models.IntegerField()
    state = models.TextField()
    effect = models.TextField()
    parameters = models.TextField()
    why = models.TextField()
    drafted_by = models.TextField()
    drafted_at = models.DateTimeField()
    backtest_id = models.UUIDField(null=True)
    promoted_by = models.TextField(null=True)
    promoted_at = models.DateTimeField(null=True)

    class Meta:
        managed = False
        db_table = "risk_rule"


class Backtest(models.Model):
    """What a version would have done on history."""

    id = models.UUIDField(primary_key=True)
    rule = models.TextField()
    version = models.IntegerField()
    first_day = models.DateField()
    last_day = models.DateField()
    result = models.TextField()
    run_by = models.TextField()
    run_at = models.DateTimeField()

    class Meta:
        managed = False
        db_table = "risk_backtest"


class Decision(models.Model):
    """A decision with all that it was made on."""

    pk = models.CompositePrimaryKey("merchant_id", "id")
    merchant_id = models.BigIntegerField()
    id = models.UUIDField()
    kind = models.TextField()
    subject = models.TextField()
    at = models.DateTimeField()
    policy = models.TextField()
    facts = models.TextField()
    applied = models.TextField()
    outcome = models.TextField()
    reason_class = models.TextField()

    class Meta:
        managed = False
        db_table = "risk_decision"


class Observation(models.Model):
    """Which payout came from where."""

    pk = models.CompositePrimaryKey("merchant_id", "id")
    merchant_id = models.BigIntegerField()
    id = models.BigIntegerField()
    subject = models.TextField()
    store_id = models.BigIntegerField()
    beneficiary_id = models.BigIntegerField()
    person = models.TextField()
    device = models.TextField()
    ip = models.TextField()
    country = models.TextField()
    network = models.TextField()
    amount_fen = models.BigIntegerField()
    at = models.DateTimeField()

    class Meta:
        managed = False
        db_table = "risk_observation"


class Alert(models.Model):
    """Something to look at."""

    pk = models.CompositePrimaryKey("merchant_id", "id")
    merchant_id = models.BigIntegerField()
    id = models.BigIntegerField()
    rule = models.TextField()
    version = models.IntegerField()
    concerns = models.TextField()
    store_id = models.BigIntegerField(null=True)
    reason_class = models.TextField()
    decision_id = models.UUIDField()
    case_id = models.BigIntegerField(null=True)
    state = models.TextField()
    times = models.IntegerField()
    raised_at = models.DateTimeField()
    last_at = models.DateTimeField()
    handled_by = models.TextField()
    note = models.TextField()

    class Meta:
        managed = False
        db_table = "risk_alert"


class Case(models.Model):
    """People looking into a subject."""

    pk = models.CompositePrimaryKey("merchant_id", "id")
    merchant_id = models.BigIntegerField()
    id = models.BigIntegerField()
    subject = models.TextField()
    store_id = models.BigIntegerField(null=True)
    person = models.TextField()
    reason_class = models.TextField()
    state = models.TextField()
    outcome = models.TextField(null=True)
    opened_by = models.TextField()
    opened_at = models.DateTimeField()
    assignee = models.TextField()
    due_at = models.DateTimeField()
    reminded_at = models.DateTimeField(null=True)
    overdue_at = models.DateTimeField(null=True)
    decided_by = models.TextField(null=True)
    decided_at = models.DateTimeField(null=True)
    note = models.TextField()

    class Meta:
        managed = False
        db_table = "risk_case"


class Evidence(models.Model):
    """An entry of what was found in a case."""

    pk = models.CompositePrimaryKey("merchant_id", "case_id", "no")
    merchant_id = models.BigIntegerField()
    case_id = models.BigIntegerField()
    no = models.IntegerField()
    kind = models.TextField()
    text = models.TextField()
    person = models.TextField()
    at = models.DateTimeField()

    class Meta:
        managed = False
        db_table = "risk_evidence"


class Hold(models.Model):
    """A subject that goes nowhere until its case is decided."""

    pk = models.CompositePrimaryKey("merchant_id", "id")
    merchant_id = models.BigIntegerField()
    id = models.BigIntegerField()
    subject = models.TextField()
    store_id = models.BigIntegerField()
    case_id = models.BigIntegerField()
    decision_id = models.UUIDField()
    reason_class = models.TextField()
    state = models.TextField()
    placed_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)

    class Meta:
        managed = False
        db_table = "risk_hold"


class ScoreEvent(models.Model):
    """Points of a merchant's internal score."""

    pk = models.CompositePrimaryKey("merchant_id", "id")
    merchant_id = models.BigIntegerField()
    id = models.BigIntegerField()
    rule = models.TextField()
    reason_class = models.TextField()
    points = models.IntegerField()
    month = models.DateField(null=True)
    decision_id = models.UUIDField(null=True)
    counters_id = models.BigIntegerField(null=True)
    at = models.DateTimeField()

    class Meta:
        managed = False
        db_table = "risk_score_event"


class Appeal(models.Model):
    """A merchant's objection to a decided case or to lost points."""

    pk = models.CompositePrimaryKey("merchant_id", "id")
    merchant_id = models.BigIntegerField()
    id = models.BigIntegerField()
    subject = models.TextField()
    case_id = models.BigIntegerField(null=True)
    score_event_id = models.BigIntegerField(null=True)
    month = models.DateField()
    no = models.SmallIntegerField()
    state = models.TextField()
    grounds = models.TextField()
    submitted_by = models.TextField()
    submitted_at = models.DateTimeField()
    decided_by = models.TextField()
    reviewer = models.TextField(null=True)
    reviewed_at = models.DateTimeField(null=True)
    note = models.TextField()

    class Meta:
        managed = False
        db_table = "risk_appeal"


class Package(models.Model):
    """All that is known of a case, put together for the licensed reporter."""

    pk = models.CompositePrimaryKey("merchant_id", "id")
    merchant_id = models.BigIntegerField()
    id = models.BigIntegerField()
    case_id = models.BigIntegerField()
    state = models.TextField()
    document = models.TextField()
    digest = models.BinaryField()
    made_by = models.TextField()
    made_at = models.DateTimeField()
    reviewed_by = models.TextField(null=True)
    reviewed_at = models.DateTimeField(null=True)
    note = models.TextField()

    class Meta:
        managed = False
        db_table = "risk_package"
