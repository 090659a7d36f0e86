"""How the server is set up where others than this machine are served: a TOML file, and secrets in files of their own.

    public_address = "https://naerblik.kommune.dk"      # as readers write it; https but for tests on this machine

    [oidc]                                              # log-in at an identity provider (OpenID Connect), or …
    issuer = "https://login.kommune.dk/realms/kommune"
    client_id = "naerblik"
    client_secret_file = "client-secret"
    cookie_key_file = "cookie-key"                      # at least 32 random bytes
    role_claim = "roles"                                # a name in the token; a.b finds b in a
    roles = { "nb-laeser" = "viewer", "nb-analytiker" = "analyst", "nb-redaktoer" = "editor" }

    [proxy]                                             # … at a proxy on this machine, which tells who it let in
    user_header = "X-Remote-User"
    groups_header = "X-Remote-Groups"                   # groups, separated by commas
    roles = { "nb-laeser" = "viewer" }

Paths of secrets are read from the folder of the settings file. A secret that other users of the machine can read is
refused.
"""

import stat
import tomllib
from collections.abc import Mapping
from dataclasses import field
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, ConfigDict, TypeAdapter, ValidationError, model_validator
from pydantic.dataclasses import dataclass

from dashboard.guard.loopback import leads_to_loopback

Role = Literal["viewer", "analyst", "editor"]
"""Each role may also do what those before it may: see pages; take files and use the API; change and save."""

COOKIE_KEY_BYTES = 32
_STRICT = ConfigDict(extra="forbid")


class SettingsProblem(Exception):
    """The settings cannot be used; the text names the file, every fault in it and what to do."""


def _checked_address(text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme != "https" and not (parts.scheme == "http" and leads_to_loopback(text)):
        raise ValueError("must begin with https:// (http:// only for an address of this machine)")
    return text.rstrip("/")


Address = Annotated[str, AfterValidator(_checked_address)]


@dataclass(frozen=True, config=_STRICT)
class Oidc:
    """Log-in at an identity provider with the authorization code flow and PKCE."""

    issuer: Address
    client_id: str
    client_secret_file: Path
    cookie_key_file: Path
    roles: Mapping[str, Role]  # value of the claim → role
    role_claim: str = "roles"
    name_claim: str = "preferred_username"
    scope: str = "openid profile"
    hours: float = 8.0  # how long a log-in lasts


@dataclass(frozen=True, config=_STRICT)
class Proxy:
    """Log-in at a proxy on this machine; it must take the two headers away from what readers send."""

    user_header: str
    groups_header: str
    roles: Mapping[str, Role]  # group → role


@dataclass(frozen=True, config=_STRICT)
class Settings:
    """How the server is set up; without a file only this machine is served, and nobody logs in."""

    public_address: Address | None = None
    oidc: Oidc | None = None
    proxy: Proxy | None = None
    folder: Path = field(default=Path(), kw_only=True)  # where relative paths begin

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        if self.oidc and self.proxy:
            raise ValueError("[oidc] and [proxy] are two ways to log in; keep one of them")
        if (self.oidc or self.proxy) and not self.public_address:
            raise ValueError("public_address is missing: write how readers reach the server, https://…")
        if self.public_address and not self.has_login and not leads_to_loopback(self.public_address):
            raise ValueError("[oidc] or [proxy] is missing: without a log-in only this machine is served")
        return self

    @property
    def has_login(self) -> bool:
        """Whether somebody must say who they are."""
        return self.oidc is not None or self.proxy is not None

    @property
    def is_https(self) -> bool:
        """Whether readers come over an encrypted connection."""
        return bool(self.public_address and self.public_address.startswith("https://"))

    @property
    def public_host(self) -> str | None:
        """The name and port that readers write."""
        return urlsplit(self.public_address).netloc if self.public_address else None

    @property
    def login_origin(self) -> str | None:
        """Scheme, name and port of the identity provider."""
        return "{0.scheme}://{0.netloc}".format(urlsplit(self.oidc.issuer)) if self.oidc else None

    def secret(self, path: Path, least: int = 1) -> str:
        """Return the text of a secret file. Raises SettingsProblem where it is missing, short or open to others."""
        found = self.folder / path
        try:
            mode, text = found.stat().st_mode, found.read_text("utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "not text"
            raise SettingsProblem(f"{found}: the secret cannot be read ({reason}).") from None
        if mode & stat.S_IRWXO:
            raise SettingsProblem(f"{found}: every user of the machine can read the secret. Run: chmod o-rwx {found}")
        if len(text.encode()) < least:
            raise SettingsProblem(
                f"{found}: the secret has {len(text.encode())} bytes, at least {least} are needed. "
                f"Make one: openssl rand -hex 32 > {found}"
            )
        return text


def read_settings(path: Path) -> Settings:
    """Return the settings of a file, all secrets read once. Raises SettingsProblem with every fault in it."""
    try:
        given: dict[str, Any] = tomllib.loads(path.read_text("utf-8"))
        settings = TypeAdapter(Settings).validate_python({**given, "folder": path.resolve().parent})
    except OSError as error:
        raise SettingsProblem(f"{path}: the settings cannot be read ({error.strerror}).") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsProblem(f"{path}: is not TOML ({error}).") from None
    except ValidationError as error:
        faults = "; ".join(
            f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}".removeprefix(": ") for fault in error.errors()
        )
        raise SettingsProblem(f"{path}: {faults}. What is allowed stands in docs/drift.md.") from None
    if settings.oidc:
        settings.secret(settings.oidc.client_secret_file)
        settings.secret(settings.oidc.cookie_key_file, COOKIE_KEY_BYTES)
    return settings
