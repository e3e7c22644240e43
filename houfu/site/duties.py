"""What the platform's people and keys do for every merchant by duty, and so without an access grant (4.6).

Whatever is not named here shows and moves nothing of a merchant on their behalf: the database does not let it.
"""

# For the merchant that the address or the query names.
FOR_A_MERCHANT = frozenset(
    {
        "POST /v1/merchants/{merchant_id}/access-grants",
        "GET /v1/merchants/{merchant_id}/access-grants",
        "POST /v1/merchants/{merchant_id}/access-grants/{grant_id}:revoke",
        "POST /v1/merchants/{merchant_id}/owner",
        "POST /v1/merchants/{merchant_id}/verification",
        "POST /v1/merchants/{merchant_id}/beneficiaries/{beneficiary_id}/verification",
        "DELETE /v1/merchants/{merchant_id}/keys/{key_id}",
        "POST /v1/merchants/{merchant_id}/stores/{store_id}:freeze",
        "POST /v1/merchants/{merchant_id}/stores/{store_id}:unfreeze",
        "POST /v1/merchants/{merchant_id}/stores/{store_id}/grants",
        "POST /v1/merchants/{merchant_id}/stores/{store_id}/reductions",
        "POST /v1/merchants/{merchant_id}/pools/{pool_id}/grants",
        "POST /v1/merchants/{merchant_id}/filings/{filing_id}:accept",
        "POST /v1/merchants/{merchant_id}/filings/{filing_id}:return",
        "POST /v1/merchants/{merchant_id}/recognitions/{recognition_id}:accept",
        "POST /v1/merchants/{merchant_id}/recognitions/{recognition_id}:refuse",
        "POST /v1/merchants/{merchant_id}/logistics-agreements",
        "POST /v1/merchants/{merchant_id}/logistics-agreements/{agreement_id}:end",
    }
)
# Alerts, cases, measures and appeals are compliance's, whoever the merchant.
AREAS_FOR_A_MERCHANT = ("/v1/risk/",)
# For all merchants at once: who there is, a new one, what a rule would have said to all of them, and a buyer's score,
# which is no merchant's.
FOR_ALL = frozenset(
    {
        "GET /v1/merchants",
        "POST /v1/merchants",
        "POST /v1/risk/rules/{rule}/versions/{version}/backtests",
        "POST /v1/buyer-scores:ask",
    }
)
# The same in the console. A merchant's page shows what the platform itself decides on: who it is, its stores, their
# limits, pools, filings handed in, and access grants; orders, money, staff and history stay behind a grant.
CONSOLE_AREAS = ("/console/platform/merchants/", "/console/platform/cases/")
CONSOLE_FOR_ALL = frozenset(
    {
        "GET /console/",
        "GET /console/platform/merchants",
        "POST /console/platform/merchants",
        "GET /console/platform/cases",
        "GET /console/platform/health",
        "POST /console/platform/health/probe",
        "GET /console/platform/runs",
        "GET /console/platform/runs/{day}",
        "GET /console/platform/risk-rules/lately",
    }
)
