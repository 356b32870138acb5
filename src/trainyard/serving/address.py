"""Where a server listens, and the names by which it may be asked."""

import ipaddress
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import urlsplit

from trainyard.errors import UserError


@dataclass(frozen=True)
class Address:
    """Where the server listens; `names` are those besides its own that a request may be sent to."""

    port: int = 8000
    host: str = "127.0.0.1"
    names: Iterable[str] = ()


LOCAL = Address()


def open_socket(address: Address) -> socket.socket:
    """A socket that listens at the address; UserError if there can be none."""
    host, port = address.host, address.port
    if not 0 <= port < 1 << 16:
        raise UserError(f"port={port} must be from 0 (any that is free) to 65535")
    try:
        family, *_, where = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        return socket.create_server(where[:2], family=family, backlog=256)  # pyright: ignore
    except (OSError, UnicodeError) as error:
        reason = (getattr(error, "strerror", None) or str(error)).partition(" (while")[0]
        way = "choose another port (0 is any that is free)" if isinstance(error, OSError) else "choose another host"
        raise UserError(f"cannot listen on {host}, port {port}: {reason}; {way}") from error


def url(host: str, port: int) -> str:
    """The address for a browser on this machine."""
    name = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    return f"http://[{name}]:{port}/" if ":" in name else f"http://{name}:{port}/"


def is_loopback(name: str) -> bool:
    """Whether a host is this machine alone."""
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return name == "localhost"


def is_known(header: str, names: Iterable[str], only_loopback: bool) -> bool:
    """Whether a Host header names this server: one of `names`, localhost, or an address.

    A page elsewhere can have its own name resolve to this machine (DNS rebinding), but its name stays its own.
    """
    try:
        host = urlsplit(f"//{header}").hostname or ""
    except ValueError:
        return False
    if host in names or is_loopback(host):
        return True
    try:
        return bool(ipaddress.ip_address(host)) and not only_loopback
    except ValueError:
        return False
