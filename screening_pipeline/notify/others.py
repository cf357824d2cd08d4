"""A command that is given the message, and mail."""

from __future__ import annotations

import json
import smtplib
import ssl
import subprocess
from collections.abc import Mapping, Sequence
from email.message import EmailMessage
from email.utils import format_datetime
from typing import TYPE_CHECKING

from screening_pipeline.notify.webhook import TIMEOUT_SECONDS, NotDelivered

if TYPE_CHECKING:
    from screening_pipeline.notify.messages import Message
    from screening_pipeline.settings.notify import Notify


def run(command: Sequence[str], message: Message) -> None:
    """Run a command with the message as JSON on its input; it has ten seconds. Raises NotDelivered."""
    try:
        done = subprocess.run(  # noqa: S603 - the operator's own command, without a shell
            command,
            input=json.dumps(message.facts()).encode(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=TIMEOUT_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as problem:
        raise NotDelivered(type(problem).__name__) from None
    if done.returncode:
        raise NotDelivered(f"exit code {done.returncode}")


def mail(told: Notify, environ: Mapping[str, str], message: Message) -> None:
    """Send a message as mail. Raises NotDelivered."""
    try:
        with _connected(told) as server:
            if told.smtp_user_env:
                server.login(environ.get(told.smtp_user_env, ""), environ.get(told.smtp_password_env or "", ""))
            server.send_message(_letter(told, message))
    except (OSError, smtplib.SMTPException) as problem:
        raise NotDelivered(type(problem).__name__) from None


def _connected(told: Notify) -> smtplib.SMTP:
    host, port = str(told.smtp_host), told.smtp_port
    if told.smtp_security == "tls":
        return smtplib.SMTP_SSL(host, port, timeout=TIMEOUT_SECONDS, context=ssl.create_default_context())
    server = smtplib.SMTP(host, port, timeout=TIMEOUT_SECONDS)
    if told.smtp_security == "starttls":
        server.starttls(context=ssl.create_default_context())
    return server


def _letter(told: Notify, message: Message) -> EmailMessage:
    letter = EmailMessage()
    letter["Subject"], letter["From"], letter["To"] = message.title, told.mail_from, ", ".join(told.mail_to)
    letter["Date"], letter["Message-ID"] = format_datetime(message.at), f"<{message.id}@screening-pipeline.invalid>"
    letter.set_content(message.text)
    return letter
