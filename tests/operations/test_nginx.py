"""The nginx file of `deploy/` in front of the real server: who somebody is cannot be sent along, nor a query be read."""

import http.client
import shutil
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.server import HOST, ROOT, Server, free_port, serving, wait_for

NAME = "naerblik.kommune.dk"
SETTINGS = f"""
    public_address = "https://{NAME}"
    [proxy]
    user_header = "X-Remote-User"
    groups_header = "X-Remote-Groups"
    roles = {{ all = "editor" }}
"""
HIDDEN = "noget-der-blev-spurgt-om"

pytestmark = pytest.mark.skipif(
    not (shutil.which("nginx") and shutil.which("openssl")), reason="nginx or openssl is not here"
)


@dataclass(frozen=True)
class Front:
    """nginx at work: its two ports, and its folder of logs."""

    plain: int
    encrypted: int
    folder: Path

    def get(self, path: str, is_encrypted: bool = True, **headers: str) -> http.client.HTTPResponse:
        """Names of headers are written with _ for -."""
        context = ssl._create_unverified_context()
        connection = (
            http.client.HTTPSConnection(HOST, self.encrypted, timeout=60, context=context)
            if is_encrypted
            else http.client.HTTPConnection(HOST, self.plain, timeout=60)
        )
        sent = {name.replace("_", "-"): text for name, text in {"Host": NAME, **headers}.items()}
        connection.request("GET", path, headers=sent)
        return connection.getresponse()

    def logged(self) -> str:
        return "".join(file.read_text("utf-8") for file in self.folder.glob("*.log"))


@contextmanager
def nginx_before(port: int, folder: Path, changes: Mapping[str, str]) -> Iterator[Front]:
    """nginx with the file of `deploy/`, changed as an operator would and to what a test may use."""
    plain, encrypted = free_port(), free_port()
    make = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", f"/CN={NAME}", "-days", "2"]
    subprocess.run([*make, "-keyout", "naerblik.key", "-out", "naerblik.crt"], cwd=folder, check=True,
                   capture_output=True)  # fmt: skip
    text = (ROOT / "deploy" / "nginx.conf").read_text("utf-8")
    for old, new in {
        "listen 80;": f"listen {HOST}:{plain};",
        "listen 443 ": f"listen {HOST}:{encrypted} ",
        "/etc/ssl/": f"{folder}/",
        "/var/log/nginx/": f"{folder}/",
        "127.0.0.1:8050": f"{HOST}:{port}",
        **changes,
    }.items():
        assert old in text
        text = text.replace(old, new)
    temporary = "".join(
        f"{kind}_temp_path {folder}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    (folder / "nginx.conf").write_text(
        f"daemon off; master_process off; pid {folder}/pid; error_log stderr;"
        f"events {{}} http {{ {temporary}\n{text}\n}}"
    )
    command = ["nginx", "-p", str(folder), "-c", str(folder / "nginx.conf")]
    checked = subprocess.run([*command, "-t"], capture_output=True, text=True)
    assert checked.returncode == 0, checked.stderr
    nginx = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    try:
        wait_for(lambda: socket.create_connection((HOST, encrypted), timeout=1).close() is None, nginx)
        yield Front(plain, encrypted, folder)
    finally:
        nginx.terminate()
        nginx.wait()


@pytest.fixture(scope="module")
def server(country_data, tmp_path_factory) -> Iterator[Server]:
    settings = tmp_path_factory.mktemp("settings") / "naerblik.toml"
    settings.write_text(SETTINGS)
    with serving(country_data, "--settings", str(settings), "--workers", "1") as server:
        yield server


@pytest.fixture
def front(server, tmp_path, request) -> Iterator[Front]:
    with nginx_before(server.port, tmp_path, getattr(request, "param", {})) as front:
        yield front


def test_nobody_names_himself(front, server) -> None:
    told = {"X_Remote_User": "anna", "X_Remote_Groups": "all"}
    assert server.get("/_dash-layout", Host=NAME, **told).status == 200  # so the server would believe it
    assert front.get("/_dash-layout", **told).status == 401


@pytest.mark.parametrize(
    "front",
    [{'X-Remote-User   ""': 'X-Remote-User "anna"', 'X-Remote-Groups ""': 'X-Remote-Groups "all"'}],
    indirect=True,
)
def test_who_nginx_let_in_is_known(front) -> None:
    answer = front.get("/_dash-layout", X_Remote_User="somebody-else")
    assert answer.status == 200
    text = answer.read().decode()
    assert "anna" in text and "somebody-else" not in text


def test_no_query_is_written_down(front) -> None:
    assert front.get(f"/log-ind/retur?code={HIDDEN}", Referer=f"https://{NAME}/?soeg={HIDDEN}").status == 401
    assert front.get(f"/metrics?{HIDDEN}").status == 403
    wait_for(lambda: front.logged().count("\n") == 2)
    assert "/log-ind/retur" in front.logged() and HIDDEN not in front.logged()


def test_what_is_not_encrypted_leads_to_what_is(front) -> None:
    answer = front.get("/k/hjoerring?sprog=en", is_encrypted=False, Host="evil.example")
    assert (answer.status, answer.headers["Location"]) == (301, f"https://{NAME}/k/hjoerring?sprog=en")


def test_a_worker_that_ends_while_it_answers_fails_no_reader(tmp_path) -> None:
    def answer(listening: socket.socket) -> None:
        listening.accept()[0].close()
        with listening.accept()[0] as connection:
            connection.recv(65_536)
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    with socket.create_server((HOST, 0)) as listening:
        threading.Thread(target=answer, args=(listening,), daemon=True).start()
        with nginx_before(listening.getsockname()[1], tmp_path, {}) as front:
            assert front.get("/land.pdf").status == 200
