"""Letting in: who asks is found out before any route is reached, by an identity provider or by a trusted proxy.

Every route is behind the log-in, Dash's own as well; open are only the style sheets and scripts (they hold no data),
``/live`` and the log-in itself. Without settings nobody logs in, and only this machine is served.
"""

import logging
from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

from authlib.common.errors import AuthlibBaseError
from authlib.integrations.flask_client import OAuth
from flask import Flask, Response, g, make_response, redirect, request, session
from joserfc.errors import JoseError
from requests import RequestException

from dashboard.guard.access import NOBODY, PLAIN, User, audit, roles_up_to, said
from dashboard.guard.loopback import is_loopback
from dashboard.guard.secure_side import is_of_this_machine
from dashboard.guard.settings import COOKIE_KEY_BYTES, Oidc, Proxy, Role, Settings

LOGIN, RETURN, LOGOUT = "/log-ind", "/log-ind/retur", "/log-ud"
_OPEN = ("/assets/", "/_dash-component-suites/")
_PROBES = ("/ready", "/metrics")  # of use to this machine's monitoring, which does not log in
_ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"]
_LONGEST_WAY_BACK = 2_000  # a browser drops a cookie of more than 4,093 bytes, and the log-in with it
_log = logging.getLogger(__name__)


def register(server: Flask, settings: Settings) -> None:
    """Put the log-in of ``settings``, if any, before every route of ``server``."""
    if settings.oidc:
        _register_oidc(server, settings, settings.oidc)
    elif settings.proxy:
        _register_proxy(server, settings.proxy)


def _register_proxy(server: Flask, proxy: Proxy) -> None:
    @server.before_request
    def believe_the_proxy() -> Response | None:
        g.user = NOBODY
        peer = request.environ.get("REMOTE_ADDR", "")
        if peer == "" or is_loopback(peer):  # a unix socket has no address
            groups = [group.strip() for group in request.headers.get(proxy.groups_header, "").split(",")]
            g.user = _user(request.headers.get(proxy.user_header), groups, proxy.roles)
        if "viewer" in g.user.roles or _is_open():
            return None
        return _refused("login.no_role" if g.user.name else "login.no_proxy", 403 if g.user.name else 401)


def _register_oidc(server: Flask, settings: Settings, oidc: Oidc) -> None:
    server.secret_key = settings.secret(oidc.cookie_key_file, COOKIE_KEY_BYTES)
    server.config.update(
        # The prefix makes browsers refuse such a cookie from a neighbouring host, or without encryption.
        SESSION_COOKIE_NAME="__Host-naerblik" if settings.is_https else "naerblik",
        SESSION_COOKIE_SECURE=settings.is_https,
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        SESSION_REFRESH_EACH_REQUEST=False,
        PERMANENT_SESSION_LIFETIME=timedelta(hours=oidc.hours),
    )
    provider = OAuth(server).register(
        "oidc",
        client_id=oidc.client_id,
        client_secret=settings.secret(oidc.client_secret_file),
        server_metadata_url=f"{oidc.issuer}/.well-known/openid-configuration",
        client_kwargs={"scope": oidc.scope, "code_challenge_method": "S256", "default_timeout": 10},
    )

    @server.before_request
    def ask_for_login() -> Response | None:
        g.user = (
            NOBODY if request.path.startswith(_OPEN) else _user(session.get("name"), session.get("groups"), oidc.roles)
        )
        if "viewer" in g.user.roles or _is_open() or request.path in (LOGIN, RETURN, LOGOUT):
            return None
        if g.user.name:
            return _refused("login.no_role", 403)
        if request.method == "GET" and "text/html" in request.headers.get("Accept", ""):  # a reader opens a page
            wanted = request.full_path.removesuffix("?")
            session["next"] = wanted if len(wanted) <= _LONGEST_WAY_BACK else "/"
            return redirect(LOGIN)  # type: ignore[return-value]  # werkzeug's response is Flask's here
        return _refused("login.needed", 401)

    @server.get(LOGIN)
    def log_in() -> Response:
        try:
            provider.load_server_metadata()["id_token_signing_alg_values_supported"] = _ALGORITHMS  # never “none”
            answer: Response = provider.authorize_redirect(f"{settings.public_address}{RETURN}")
        except (AuthlibBaseError, RequestException, RuntimeError) as error:
            return _failed(error, 503)
        return answer

    @server.get(RETURN)
    def come_back() -> Response:
        wanted = _own_path(session.pop("next", "/"))
        try:
            provider.load_server_metadata()["id_token_signing_alg_values_supported"] = _ALGORITHMS
            token = provider.authorize_access_token(claims_options={"iss": {"essential": True, "value": oidc.issuer}})
            claims = _claims(provider, token, oidc)
        except (AuthlibBaseError, JoseError, RequestException, RuntimeError, ValueError) as error:
            return _failed(error, 401)
        session.clear()
        session.permanent = True
        name = str(claims.get(oidc.name_claim) or claims["sub"])
        groups = _values(_claim(claims, oidc.role_claim))
        session.update(name=name, groups=sorted(set(groups) & set(oidc.roles)))
        g.user = _user(name, session["groups"], oidc.roles)
        audit("logged_in", address=RETURN, roles=", ".join(sorted(g.user.roles)))
        return redirect(wanted)  # type: ignore[return-value]

    @server.post(LOGOUT)
    def log_out() -> Response:
        if g.user.name:
            audit("logged_out")
        session.clear()
        try:
            out: Response = provider.logout_redirect(f"{settings.public_address}/", client_id=oidc.client_id)
        except (AuthlibBaseError, RequestException, RuntimeError):  # a provider need not have a way to log out
            return _refused("login.out", 200)
        session.clear()  # of what the library remembers for an answer that nobody waits for
        return out


def _user(name: str | None, groups: Iterable[str] | None, roles: Mapping[str, Role]) -> User:
    return User(name, roles_up_to(roles[group] for group in groups or () if group in roles)) if name else NOBODY


def _is_open() -> bool:
    path = request.path
    return path.startswith(_OPEN) or path == "/live" or (path in _PROBES and is_of_this_machine())


def _own_path(path: str) -> str:
    """A path of this server, never another host's: both // and /\\ lead a browser away."""
    parts = urlsplit(path)
    is_own = not parts.scheme and not parts.netloc and path.startswith("/") and not path.startswith(("//", "/\\"))
    return path if is_own else "/"


def _claims(provider: Any, token: Mapping[str, Any], oidc: Oidc) -> Mapping[str, Any]:
    """What the provider says of the person: in the signed token, else where it is asked with that token."""
    claims: dict[str, Any] = dict(token.get("userinfo") or {})
    if not claims.get("sub"):
        raise ValueError("the provider gave no id token")
    if _claim(claims, oidc.role_claim) is None or oidc.name_claim not in claims:
        more = provider.userinfo(token=token)
        if more.get("sub") != claims["sub"]:
            raise ValueError("userinfo is about somebody else")
        claims = {**more, **claims}
    return claims


def _claim(claims: Mapping[str, Any], name: str) -> Any:
    """The claim called so; else ``a.b`` is b in a."""
    if name in claims:
        return claims[name]
    outer, _, inner = name.partition(".")
    return _claim(claims[outer], inner) if inner and isinstance(claims.get(outer), Mapping) else None


def _values(claim: Any) -> list[str]:
    return [str(value) for value in claim] if isinstance(claim, list | tuple) else claim.split() if claim else []


def _failed(error: Exception, status: int) -> Response:
    _log.warning("log-in failed: %s: %s", type(error).__name__, error)
    return _refused("login.failed", status)


def _refused(text: str, status: int) -> Response:
    return make_response(said(text), status, PLAIN)
