"""Loopback hosts."""

from __future__ import annotations


def is_loopback(host: str) -> bool:
    """Whether a host is this machine: `localhost`, 127.0.0.0/8 or ::1."""
    from ipaddress import ip_address  # 10 ms that a configuration with https only need not pay

    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False
