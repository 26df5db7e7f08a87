"""Show the core objects in a notebook: a few facts and a few rows, as HTML."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

NOTES_SHOWN = 3


def html_card(
    title: str,
    facts: Mapping[str, Any],
    header: Sequence[str] = (),
    rows: Sequence[Sequence[Any]] = (),
    notes: Sequence[str] = (),
) -> str:
    """Return a title, a table of facts, a table of some rows, and notes, all escaped.

    Parameters
    ----------
    title : str
    facts : mapping
        Label -> value; entries that are None are left out.
    header, rows : sequence
        Of the second table.
    notes : sequence of str
        The first three are shown, the others counted.
    """
    known = {label: value for label, value in facts.items() if value is not None}
    parts = [f"<p><strong>{escape(title)}</strong></p>", _table([], list(known.items()))]
    if rows:
        parts.append(_table(header, rows))
    parts += [f"<p><em>{escape(note)}</em></p>" for note in notes[:NOTES_SHOWN]]
    if len(notes) > NOTES_SHOWN:
        parts.append(f"<p><em>and {len(notes) - NOTES_SHOWN} more notes</em></p>")
    return f"<div>{''.join(parts)}</div>"


def _table(header: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    head = "".join(f"<th>{escape(name)}</th>" for name in header)
    body = "".join(
        "<tr>" + "".join(f"<td>{escape(_text(value))}</td>" for value in row) + "</tr>"
        for row in rows
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _text(value: Any) -> str:
    return f"{value:.3f}" if isinstance(value, float) else str(value)
