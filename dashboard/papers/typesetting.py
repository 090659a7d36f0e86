"""Typesetting: data and a template become a PDF, a drawing becomes a PNG. By Typst, with fonts of our own only.

Every text goes in as data, so that nothing a user writes is ever read as markup. The PDFs are tagged (PDF/UA-1), and
the same data give the same bytes: the only date in them is the one that is given.
"""

import json
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

import typst

_FOLDER = Path(__file__).parent
# What Inter and the fonts within Typst have letters for: PDF/UA allows no letter without.
_UNPRINTABLE = re.compile(
    "[^\n\u0020-\u007e\u00a0-\u024f\u02c6-\u02dd\u0391-\u03a1\u03a3-\u03c9\u2010-\u2027\u202f-\u205e\u20a0-\u20bf"
    "\u2190-\u22ff\u2500-\u25ff\u2713\u2717\ufffd]"
)
_REPLACEMENT = "\ufffd"
_PNG = b'#set page(width: auto, height: auto, margin: 0pt)\n#image(bytes(sys.inputs.svg), format: "svg")'
_PIXELS_PER_INCH = 192.0  # a unit of a drawing is 1/96 inch: two pixels for each


def to_pdf(template: str, data: Mapping[str, Any], made: datetime) -> bytes:
    """Return the PDF that the file ``template`` of this folder makes of ``data``; ``made`` is its date, with zone."""
    compiler = typst.Compiler(_FOLDER / template, root=_FOLDER, font_paths=_fonts(), ignore_system_fonts=True)
    written = json.dumps(_printable(data), ensure_ascii=False)
    pdf = compiler.compile(format="pdf", sys_inputs={"data": written}, pdf_standards=["ua-1"], timestamp=made)
    assert isinstance(pdf, bytes)
    return pdf


def to_png(svg: str) -> bytes:
    """Return a drawing that stands alone as a picture of twice its size in pixels."""
    compiler = typst.Compiler(_PNG, font_paths=_fonts(), ignore_system_fonts=True)
    png = compiler.compile(format="png", sys_inputs={"svg": svg}, ppi=_PIXELS_PER_INCH)
    assert isinstance(png, bytes)
    return png


@cache
def _fonts() -> typst.Fonts:
    """Inter, and for signs it lacks those within Typst: a machine without fonts makes the same page."""
    return typst.Fonts(include_system_fonts=False, include_embedded_fonts=True, font_paths=[str(_FOLDER / "fonts")])


def _printable(part: Any) -> Any:
    """Return data with a sign of its own for every letter that no font has."""
    if isinstance(part, str):
        return _UNPRINTABLE.sub(_REPLACEMENT, part)
    if isinstance(part, Mapping):
        return {name: _printable(value) for name, value in part.items()}
    if isinstance(part, Sequence):
        return [_printable(value) for value in part]
    return part
