"""The table `[notify]` of screening.toml."""

from __future__ import annotations

from dataclasses import dataclass

from screening_pipeline.settings import rules
from screening_pipeline.settings.table_reader import setting

FORMATS = ("auto", "slack", "teams", "plain")
SECURITY = ("starttls", "tls", "none")


@dataclass(frozen=True, kw_only=True)
class Notify:
    """Whom to tell when something goes wrong, and when it is well again: any of a webhook, a command and mail.

    Names of variables hold the addresses that are secrets. `disk_below_gb` is in GB (10^9 bytes).
    """

    webhook_url_env: str | None = setting(
        rules.variable,
        example='"SCREENING_WEBHOOK_URL"',
        help="a webhook that takes JSON: Slack, Teams (Workflows), Mattermost, or a receiver of yours",
    )
    webhook_format: str = setting(rules.one_of(*FORMATS), "auto", help="by the address; or slack, teams, plain")
    command: tuple[str, ...] = setting(
        rules.list_of(rules.text),
        (),
        example='["/usr/local/bin/page"]',
        help="is given the message as JSON on its input",
    )
    mail_to: tuple[str, ...] = setting(rules.list_of(rules.text), (), example='["operations@example.com"]')
    mail_from: str | None = setting(rules.text, example='"screening@example.com"')
    smtp_host: str | None = setting(rules.text, example='"smtp.example.com"')
    smtp_port: int = setting(rules.integer(1, 65535), 587)
    smtp_security: str = setting(rules.one_of(*SECURITY), "starttls", help="none is for loopback only")
    smtp_user_env: str | None = setting(rules.variable, example='"SMTP_USER"')
    smtp_password_env: str | None = setting(rules.variable, example='"SMTP_PASSWORD"')
    alive_url_env: str | None = setting(
        rules.variable,
        example='"SCREENING_ALIVE_URL"',
        help="asked for after each good cycle: whoever watches it (healthchecks.io, say) notices silence",
    )
    disk_below_gb: float = setting(rules.positive, 1.0, help="told of when less is free")

    @property
    def is_anybody(self) -> bool:
        """Whether anybody is to be told anything."""
        return bool(self.webhook_url_env or self.command or self.mail_to or self.alive_url_env)
