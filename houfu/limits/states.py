"""What may happen to pools and whatever is theirs, to temporary loans and to emergencies, from where."""

from functools import partial

from houfu.kernel import states

POOL = states.table(
    ask=("draft", "awaiting_signature"),
    activate=("awaiting_signature", "active"),
    send_back=("awaiting_signature", "draft"),
    freeze=("active", "frozen"),
    unfreeze=("frozen", "active"),
    wind_down=("draft awaiting_signature active frozen", "winding_down"),
    close=("winding_down", "closed"),
)
MEMBER = states.table(
    verify=("invited", "verified"),
    send_back=("verified", "invited"),
    admit=("verified", "active"),
    pass_probation=("probation", "active"),
    suspend=("probation active", "suspended"),
    resume=("suspended", "active"),
    resume_probation=("suspended", "probation"),
    remove=("invited verified probation active suspended", "removed"),
)
CHANGE = states.table(
    sign=("proposed", "signed"),
    take_effect=("signed", "effective"),
    reject=("proposed signed", "rejected"),
)
FILING = states.table(
    draft=("triggered returned", "drafting"),
    review=("drafting", "in_review"),
    redraft=("in_review", "drafting"),
    submit=("in_review", "submitted"),
    accept=("submitted", "accepted"),
    send_back=("submitted", "returned"),
)
EMERGENCY = states.table(
    repay=("begun repaying", "repaying"),
    open=("repaying", "restoration_open"),
    apply=("restoration_open", "in_review"),
    restore=("in_review", "restored"),
    refuse=("in_review", "refused"),
    lapse=("begun repaying restoration_open", "lapsed"),
)
LOAN = states.table(
    repay_part=("open partly_repaid", "partly_repaid"),
    repay_rest=("open partly_repaid overdue", "repaid"),
    fall_due=("open partly_repaid", "overdue"),
)
ADJUSTMENT = states.table(
    accept=("proposed", "accepted"),
    reject=("proposed", "rejected"),
    withdraw=("proposed accepted", "withdrawn"),
    expire=("proposed accepted", "expired"),
)
BANDS = states.table(
    accept=("proposed", "accepted"),
    reject=("proposed", "rejected"),
    withdraw=("proposed accepted", "withdrawn"),
    replace=("accepted", "replaced"),
)
RECOGNITION = states.table(
    recognise_one=("proposed", "recognised_by_one"),
    recognise=("recognised_by_one", "recognised"),
    refuse=("proposed recognised_by_one", "refused"),
    withdraw=("proposed recognised_by_one recognised", "withdrawn"),
)
CONVERSION = states.table(
    confirm=("asked held", "active"),
    refuse=("asked held", "refused"),
    lapse=("asked held", "lapsed"),
    true_up=("active", "returning"),
    true_up_whole=("active", "returned"),
    bring_back=("returning", "returned"),
)
MACHINES = {
    "pool": POOL,
    "member": MEMBER,
    "limit_change": CHANGE,
    "filing": FILING,
    "loan": LOAN,
    "emergency": EMERGENCY,
    "adjustment": ADJUSTMENT,
    "bands": BANDS,
    "recognition": RECOGNITION,
    "conversion": CONVERSION,
}
move_adjustment = partial(states.apply, ADJUSTMENT)
move_bands = partial(states.apply, BANDS)
move_pool = partial(states.apply, POOL)
move_member = partial(states.apply, MEMBER)
move_change = partial(states.apply, CHANGE)
move_filing = partial(states.apply, FILING)
move_emergency = partial(states.apply, EMERGENCY)
move_recognition = partial(states.apply, RECOGNITION)
move_conversion = partial(states.apply, CONVERSION)
