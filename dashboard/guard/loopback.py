"""What is this machine alone."""

from ipaddress import ip_address
from urllib.parse import urlsplit


def is_loopback(host: str | None) -> bool:
    """Whether a name or address means this machine alone."""
    try:
        return host == "localhost" or ip_address(host or "").is_loopback
    except ValueError:
        return False


def leads_to_loopback(address: str) -> bool:
    """Whether an address with a host in it, ``http://localhost:8050`` or ``//localhost``, means this machine alone."""
    try:
        return is_loopback(urlsplit(address).hostname)
    except ValueError:  # as of //[::1
        return False
