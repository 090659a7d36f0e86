"""A verdict as the reader meets it: icon, word, and a colour that only repeats them. The words are those of kpis."""

from dash import html

from dashboard.components.attributes import aria
from dashboard.words import Words
from kpis.explanation import status_words
from kpis.verdict import BY_ID, REASONS

CALM = ("as_expected", "no_signal")
SILENT = ("cannot_tell", "not_assessed")
CHANGES = ("improving", "worsening", "rising", "falling")
BEHIND = ("perhaps_behind", "behind")

_REASONS = {reason.id: reason for reason in REASONS}


def verdict_text(verdict: str, words: Words) -> str:
    """Return the wording of a verdict of ``kpis.verdict.VOCABULARY``: *som ventet*."""
    return str(getattr(BY_ID[verdict], words.lang))


def reason_text(reason: str, words: Words) -> str:
    """Return why there is no verdict: a reason of ``kpis.verdict``, or the status of an estimate."""
    if reason in _REASONS:
        return str(getattr(_REASONS[reason], words.lang))
    return status_words(words.lang)[reason]


def verdict_mark(verdict: str, words: Words) -> html.Span:
    """Return icon and word of a verdict."""
    entry = BY_ID[verdict]
    icon = html.Span(entry.icon, className="icon", **aria(hidden="true"))
    return html.Span([icon, verdict_text(verdict, words)], className=f"verdict-mark v-{entry.colour}")
