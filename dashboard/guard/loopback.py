"""What is this machine alone."""

from ipaddress import ip_address


def is_loopback(host: str | None) -> bool:
    """Whether a name or address means this machine alone."""
    try:
        return host == "localhost" or ip_address(host or "").is_loopback
    except ValueError:
        return False
