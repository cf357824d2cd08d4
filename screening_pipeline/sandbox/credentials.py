"""What opens the sandbox: one account name and well-known fake secrets, by environment variable."""

from __future__ import annotations

from typing import Final

ACCOUNT: Final = "sandbox"

SECRETS: Final[dict[str, str]] = {
    "SANDBOX_CHECKR_API_KEY": "sandbox-checkr-api-key",
    "SANDBOX_GOODHIRE_API_KEY": "sandbox-goodhire-api-key",
    "SANDBOX_HIRERIGHT_CLIENT_ID": "sandbox-hireright-client-id",
    "SANDBOX_HIRERIGHT_CLIENT_SECRET": "sandbox-hireright-client-secret",
    "SANDBOX_HIRERIGHT_USERNAME": "sandbox-hireright-username",
    "SANDBOX_HIRERIGHT_PASSWORD": "sandbox-hireright-password",
    "SANDBOX_HIRERIGHT_WEBHOOK_USERNAME": "sandbox-hireright-username",
    "SANDBOX_HIRERIGHT_WEBHOOK_PASSWORD": "sandbox-hireright-password",
    "SANDBOX_HIRERIGHT_WEBHOOK_CLIENT_ID": "sandbox-hireright-client-id",
    "SANDBOX_HIRERIGHT_WEBHOOK_CLIENT_SECRET": "sandbox-hireright-client-secret",
    "SANDBOX_ZINC_API_KEY": "sandbox-zinc-api-key",
    "SANDBOX_ZINC_WEBHOOK_SIGNING_TOKEN": "sandbox-zinc-signing-token",
    "SANDBOX_WORKERCHECKS_WIDGET_SECRET": "sandbox-workerchecks-widget-secret",
    "SANDBOX_WORKABLE_TOKEN": "sandbox-workable-token",
    "SANDBOX_WORKABLE_WEBHOOK_TOKEN": "sandbox-workable-webhook-token",
}
