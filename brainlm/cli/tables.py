"""Tables on the console."""

from __future__ import annotations

import sys

import typer


def print_table(rows: list[dict[str, str]]) -> None:
    """Print a table: fitted to a terminal, else as plain text for other programs."""
    if not rows:
        typer.echo("none")
        return
    if sys.stdout.isatty():
        from rich.console import Console
        from rich.table import Table

        shown = Table(*rows[0], box=None, header_style="bold", pad_edge=False)
        for row in rows:
            shown.add_row(*row.values())
        Console().print(shown, markup=False)
        return
    widths = {key: max(len(key), *(len(row[key]) for row in rows)) for key in rows[0]}
    typer.echo("  ".join(key.ljust(width) for key, width in widths.items()).rstrip())
    for row in rows:
        typer.echo("  ".join(row[key].ljust(width) for key, width in widths.items()).rstrip())
