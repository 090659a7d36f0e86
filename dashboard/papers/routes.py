"""The addresses of papers: pictures of figures, an overview on one page, and an agenda as a PDF and as slides."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from flask import Flask, Response, request

from dashboard.agenda import LINK_KEY, Agenda, AgendaProblem
from dashboard.agenda.kept import asked_agenda
from dashboard.components.drawing import PICTURES
from dashboard.guard.access import PLAIN, audit
from dashboard.papers.annex import agenda_pdf, overview_pdf
from dashboard.papers.content import NoContent, content
from dashboard.papers.ink import picture
from dashboard.papers.slides import agenda_pptx
from dashboard.papers.typesetting import to_png
from dashboard.selection import LEVEL_WORDS
from dashboard.words import DEFAULT_LANGUAGE, Words, load_words
from kpis.catalogue import fingerprint
from kpis.indicator import LANGUAGES
from kpis.release import ReleaseError, current_release

PDF = "application/pdf"
PPTX = "application/vnd.openxmlformats-officedocument.presentationml.presentation"
_MEDIA = {"svg": "image/svg+xml", "png": "image/png", "pdf": PDF, "pptx": PPTX}
_AREAS = ",".join(word for level, word in LEVEL_WORDS.items() if level != "country")

Answer = Response | tuple[str, int, dict[str, str]]


def register(server: Flask, data_dir: Path, public_address: str | None = None) -> None:
    """Add the papers. Each is made when it is asked for, and the same address gives the same bytes while a release is.

    ``/billede/<figure>.<svg|png>?adresse=<address of a view>``
    ``/k/<municipality>.pdf``, ``/kkr/<name>.pdf`` … and ``/land.pdf``: an overview on one page
    ``/moede/<name>.<pdf|pptx>``, with ``indhold=`` for an agenda that stands in its link; ``sprog=`` goes before the
    language of the agenda

    ``public_address`` is what readers call the server, for the links in the papers; None = as it was called.
    """

    def origin() -> str:
        return (public_address or request.host_url).rstrip("/")

    @server.get(f"/billede/<name>.<any({','.join(PICTURES)}):kind>")
    def send_picture(name: str, kind: str) -> Answer:
        return _made(kind, lambda: _picture(data_dir, name, kind, request.args.get("adresse", "/")), data_dir)

    @server.get(f"/<any({_AREAS}):level>/<slug>.pdf")
    @server.get("/<any(land):level>.pdf")
    def send_overview(level: str, slug: str = "") -> Answer:
        def made() -> tuple[str, bytes]:
            path = "/".join(part for part in (level, slug, "overblik") if part)
            shown = content(data_dir, f"/{path}?{request.query_string.decode()}")
            file = overview_pdf(shown, origin())
            audit("paper", kind="pdf", release=shown.release.id)
            return f"naerblik_{slug or level}_{shown.release.id}", file

        return _made("pdf", made, data_dir)

    @server.get("/moede/<name>.<any(pdf,pptx):kind>")
    def send_agenda(name: str, kind: str) -> Answer:
        def made() -> tuple[str, bytes]:
            agenda = _agenda(data_dir, name)
            make = agenda_pdf if kind == "pdf" else agenda_pptx
            file = make(agenda, data_dir, origin())
            audit("paper", agenda=agenda.name, kind=kind, release=agenda.release)
            return f"{agenda.name}_{agenda.release}", file

        return _made(kind, made, data_dir)


def _picture(data_dir: Path, name: str, kind: str, address: str) -> tuple[str, bytes]:
    shown = content(data_dir, address)
    figure = next((figure for figure in shown.figures if figure.name == name), None)
    words = shown.words
    if figure is None:
        raise NoContent(words("papers.no_figure", name=name[:40], address=address[:80]))
    source = words("figure.source", release=shown.release.id, address=shown.link)
    if shown.is_synthetic:
        source = f"{words('shell.synthetic')} {source}"
    drawn = picture(figure, shown.title, source)
    if drawn is None:
        raise NoContent(words("papers.not_drawn"))
    file = to_png(drawn) if kind == "png" else drawn.encode()
    audit("picture", figure=name, kind=kind, release=shown.release.id)
    return f"naerblik_{name}_{shown.release.id}", file


def _agenda(data_dir: Path, name: str) -> Agenda:
    """Return the agenda that is asked for, in the language that is asked for or else its own."""
    agenda = asked_agenda(data_dir, name, request.args.get(LINK_KEY, ""))
    wanted = request.args.get("sprog")
    return next((replace(agenda, lang=lang) for lang in LANGUAGES if lang == wanted), agenda)


def _made(kind: str, make: Callable[[], tuple[str, bytes]], data_dir: Path) -> Answer:
    """Return what ``make`` gives, a name without ending and a file; or why there is none, in the reader's language."""
    words = _words()
    try:
        current_release(data_dir)
        name, file = make()
    except ReleaseError:
        return words("papers.no_release") + "\n", 503, PLAIN
    except NoContent as problem:
        return f"{problem}\n", 404, PLAIN
    except AgendaProblem as problem:
        return "\n".join(words(notice.key, **notice.values) for notice in problem.notices) + "\n", 404, PLAIN
    answer = Response(file, mimetype=_MEDIA[kind])
    answer.headers.set("Content-Disposition", "inline" if kind == "pdf" else "attachment", filename=f"{name}.{kind}")
    answer.set_etag(fingerprint(file))
    answer.make_conditional(request)
    return answer


def _words() -> Words:
    wanted = request.args.get("sprog")
    return load_words(next((lang for lang in LANGUAGES if lang == wanted), DEFAULT_LANGUAGE))
