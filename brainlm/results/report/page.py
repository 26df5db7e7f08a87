"""HTML page of one or several bundles."""

from __future__ import annotations

import base64
import gzip
import html
import json
import re
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from brainlm._progress import bar
from brainlm.data.brain_maps import BrainMaps, winners
from brainlm.plotting.brain import brain_scale, bundle_maps, label_colours
from brainlm.results.captions import CAPTIONS
from brainlm.results.report.answer import answer_of
from brainlm.results.report.array_tables import bundle_tables, comparison_table, has_spaces
from brainlm.results.report.methods import citations_of, methods_of, models_of
from brainlm.results.report.texts import texts_of

if TYPE_CHECKING:
    import pandas

    from brainlm.datasets.card import Card
    from brainlm.results.bundle import Bundle

# Headings under which a reader looks for notes, and the kinds of these notes.
CHECKS = {
    "Edge of the penalty grid": "alpha_edge",
    "Leakage": "leakage",
    "Excluded data": "excluded",
    "Coverage": "coverage",
}

WARNINGS = ("Edge of the penalty grid", "Leakage")  # amber; the others are grey notes
PRINT_DPI = 300  # of figures
ON_SCREEN = 150  # pixels for an inch of print: text of 7 points is read on a screen
MOST_VIEWERS = 12  # brains that one can turn; the first takes 4 MB of the page, others little
# The libraries of a viewer, which begin with a comment, and its meshes, which are base64.
LONG = re.compile(r"(?<=<script>)\s*/\*[!*].*?(?=</script>)|[A-Za-z0-9+/=]{2000,}", re.DOTALL)
TABLE_LAYOUT = {
    "topStart": "pageLength",
    "topEnd": "search",
    "bottomStart": "info",
    "bottomEnd": "paging",
}


@dataclass(frozen=True)
class _Figure:
    name: str
    image: str  # data URI
    caption: str
    width: int  # pixels of the page


@dataclass(frozen=True)
class _Viewer:
    name: str
    packed: str  # HTML of nilearn's viewer, its long texts replaced by their numbers
    key: tuple[tuple[str, str], ...] = ()  # label and colour


class _Pieces:
    """Long texts that the viewers share (meshes, scripts), each kept once."""

    def __init__(self) -> None:
        self.texts: dict[str, int] = {}

    def shorten(self, html: str) -> str:
        """Return ``html`` with every long text as ``@@number@@``."""
        return LONG.sub(lambda m: f"@@{self.texts.setdefault(m[0], len(self.texts))}@@", html)


def report_tables(bundles: Sequence[Bundle]) -> dict[str, pandas.DataFrame]:
    """Return every table of a report by the name of its CSV file, without its ending.

    Parameters
    ----------
    bundles : sequence of Bundle
    """
    return {
        _file_name(bundle, title): table
        for bundle in bundles
        for title, table in bundle_tables(bundle)[0].items()
    }


def _file_name(bundle: Bundle, title: str) -> str:
    return re.sub(r"[^A-Za-z0-9]+", "_", f"{bundle.folder.name} {title}").strip("_").lower()


def report_page(
    bundles: Sequence[Bundle], questions: Mapping[str, str] | None = None, *, csv: str | None = None
) -> str:
    """Return the report of bundles as the text of one HTML file.

    Parameters
    ----------
    bundles : sequence of Bundle
        Several are compared in a table before each has its section.
    questions : mapping of str to str, optional
        Name of an analysis -> what it asks.
    csv : str, optional
        Folder of the tables as CSV files, relative to the page: it links them.

    Returns
    -------
    str
        Everything is inside: figures, tables, style, script.
    """
    from itables import options
    from itables.javascript import generate_init_offline_itables_html
    from jinja2 import Environment, FileSystemLoader

    if not bundles:
        raise ValueError("bundles is empty: give at least one result bundle")
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent), autoescape=True, trim_blocks=True
    )
    pieces = _Pieces()
    sections = [
        _section(number, bundle, questions or {}, pieces, csv)
        for number, bundle in enumerate(bundles, start=1)
    ]
    compared = comparison_table(bundles) if len(bundles) > 1 else None
    both = compared is not None and len(compared)
    return environment.get_template("page.html").render(
        warnings=WARNINGS,
        title=", ".join(section["title"] for section in sections),
        sections=sections,
        comparison=_html(compared, "comparison") if both and compared is not None else "",
        not_compared=[] if compared is None else _not_compared(bundles),
        pieces=_packed(json.dumps(list(pieces.texts))) if pieces.texts else "",
        tables_script=generate_init_offline_itables_html(options.dt_bundle),
    )


def _not_compared(bundles: Sequence[Bundle]) -> list[str]:
    """Return the bundles without scores of feature spaces, which the comparison leaves out."""
    return [
        f"{bundle.folder.name} ({bundle.record['analysis']})"
        for bundle in bundles
        if not any(map(has_spaces, bundle.arrays.values()))
    ]


def _section(
    number: int,
    bundle: Bundle,
    questions: Mapping[str, str],
    pieces: _Pieces,
    csv: str | None = None,
) -> dict[str, Any]:
    record = bundle.record
    tables, left_out = bundle_tables(bundle)
    cards = _cards(record)
    brains = _brains(bundle)
    steps = bar(brains[:MOST_VIEWERS], "brain views", inner=True)
    viewers = [_viewer(name, maps, pieces) for name, maps in steps]
    shown = [
        (title, _html(table, f"t{number}-{i}"), csv and f"{csv}/{_file_name(bundle, title)}.csv")
        for i, (title, table) in enumerate(tables.items())
    ]
    return {
        "id": f"bundle-{number}",
        "title": record["analysis"].replace("_", " "),
        "question": questions.get(record["analysis"], ""),
        "answer": answer_of(bundle),
        "debug": bool(record.get("config", {}).get("debug")),
        "methods": methods_of(bundle, cards),
        "folder": bundle.folder.name,
        "created": record.get("created", ""),
        "command": record.get("command", ""),
        "figures": _figures(bundle),
        "texts": texts_of(bundle),
        "viewers": viewers,
        "unseen": [name for name, _ in brains[MOST_VIEWERS:]],
        "log": _log(bundle.folder),
        "tables": shown,
        "left_out": left_out,
        "checks": {
            name: [str(note) for note in bundle.notes if note.kind == wanted]
            for name, wanted in CHECKS.items()
        },
        "other_notes": [str(n) for n in bundle.notes if n.kind not in CHECKS.values()],
        "baseline": _baselines(bundle),
        "settings": {k: _text(v) for k, v in record.get("config", {}).items()},
        "data": [(card.title, _licence(card), list(card.known_problems)) for card in cards],
        "inputs": json.dumps(record.get("inputs", {}), indent=1, ensure_ascii=False, default=str),
        "models": [
            f"{name} (revision {revision})" if revision else name
            for name, revision in models_of(record).items()
        ],
        "environment": record.get("environment", {}),
        "citations": citations_of(record, cards),
    }


def _figures(bundle: Bundle) -> list[_Figure]:
    found = []
    # In the order of the analysis: its main figure comes first.
    named = list(bundle.record.get("figures", ()))
    order = {name: i for i, name in enumerate(named)}
    drawn = sorted(
        bundle.folder.glob("*.png"), key=lambda p: (order.get(p.stem, len(named)), p.stem)
    )
    for path in drawn:
        data = base64.b64encode(path.read_bytes()).decode("ascii")
        caption = _marked(CAPTIONS.get(path.stem, ""))
        name = path.stem.replace("_", " ")
        width = round(_png_width(path) * ON_SCREEN / PRINT_DPI)
        found.append(_Figure(name, f"data:image/png;base64,{data}", caption, width))
    return found


def _png_width(path: Path) -> int:
    with open(path, "rb") as file:
        return int.from_bytes(file.read(24)[16:20], "big")


def _marked(caption: str) -> str:
    """Return a caption as HTML: ``code`` and *stress* as in `figures/README.md`."""
    text = re.sub(r"`([^`]+)`", r"<code>\1</code>", html.escape(caption, quote=False))
    return re.sub(r"\*([^*]+)\*", r"<em>\1</em>", text)


def _log(folder: Path) -> str:
    path = folder / "log.txt"
    return path.read_text(encoding="utf-8") if path.is_file() else ""


def _brains(bundle: Bundle) -> list[tuple[str, BrainMaps]]:
    """Winners first, then each map, as maps whose first row is shown."""
    found = []
    for maps in bundle_maps(bundle).values():
        if maps.affine is None:
            continue  # vertices have no place without their mesh
        if maps.n_maps > 1:
            found.append((f"{maps.subject}: winner", winners(maps)))
    for dataset in filter(BrainMaps.is_in, bundle.arrays.values()):
        maps = BrainMaps.from_xarray(dataset)
        if maps.affine is not None:
            found += [(f"{maps.subject}: {name}", maps.only(str(name))) for name in maps.names]
    return found


def _viewer(name: str, maps: BrainMaps, pieces: _Pieces) -> _Viewer:
    from matplotlib.colors import ListedColormap, to_hex
    from nilearn.plotting import view_img_on_surf

    shown = str(maps.names[0])
    key: list[tuple[str, str]] = []
    if maps.labels:
        colours = label_colours(maps)
        key = [(text, to_hex(colours[number - 1])) for number, text in maps.labels.items()]
        options: dict[str, Any] = {
            "cmap": ListedColormap(colours),
            "symmetric_cmap": False,
            "vmin": 1,
            "vmax": max(len(colours), 2),
            "threshold": 0.5,
            "colorbar": False,
            "vol_to_surf_kwargs": {"interpolation": "nearest_most_frequent"},
        }
    else:
        options = {"cmap": "RdBu_r", "vmax": brain_scale(maps, shown), "threshold": 1e-9}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of nilearn, about its own arguments
        viewer = view_img_on_surf(maps.image(shown), surf_mesh="fsaverage5", title=name, **options)
        html = viewer.get_standalone()
    return _Viewer(name, _packed(pieces.shorten(html)), tuple(key))


def _packed(text: str) -> str:
    """Return a text as the browser unpacks it: gzip, then base64."""
    return base64.b64encode(gzip.compress(text.encode(), mtime=0)).decode("ascii")


def _html(table: pandas.DataFrame, name: str) -> str:
    from itables import to_html_datatable

    return to_html_datatable(
        table.astype(object).where(table.notna(), ""),  # an empty cell says more than NaN
        table_id=name,
        connected=False,
        showIndex=False,
        paging=len(table) > 25,
        lengthMenu=[25, 100, 1000],
        layout=TABLE_LAYOUT if len(table) > 25 else {**TABLE_LAYOUT, "topStart": None},
        maxBytes=0,
        text_in_header_can_be_selected=False,  # a click anywhere in a header sorts
        classes="display compact",
        style="table-layout:auto;width:auto",
    )


def _cards(record: Mapping[str, Any]) -> list[Card]:
    """Cards of the data sets that the settings name."""
    from brainlm.datasets.card import card_names, read_card

    config = record.get("config", {})
    names = [config[key] for key in ("dataset", "datasets") if key in config]
    flat = [n for entry in names for n in (entry if isinstance(entry, list) else [entry])]
    # Others are data of the user's own.
    return [read_card(name) for name in dict.fromkeys(map(str, flat)) if name in card_names()]


def _licence(card: Card) -> str:
    return f"licence: {card.licence}" + ("; not for commercial use" if card.noncommercial else "")


def _baselines(bundle: Bundle) -> str:
    """Say whether random embeddings are shown with the layers, against anisotropy."""
    for dataset in bundle.arrays.values():
        if "kind" in dataset.coords and "random" in set(dataset["kind"].values.tolist()):
            return "random embeddings with the geometry of each layer are in the tables and figures"
    return ""


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def write_report(
    path: Path,
    text: str,
    *,
    tables: Mapping[str, pandas.DataFrame] | None = None,
    overwrite: bool = False,
) -> Path:
    """Write a report, not over an existing file unless asked to, and its tables beside it.

    Parameters
    ----------
    path : Path
        HTML file.
    text : str
        From `report_page`.
    tables : mapping of str to DataFrame, optional
        From `report_tables`: written as CSV into `csv_folder` of the page.
    overwrite : bool
    """
    if path.exists() and not overwrite:
        raise FileExistsError(f"{path}: exists; choose another --out or pass --overwrite")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    for name, table in (tables or {}).items():
        folder = path.parent / csv_folder(path)
        folder.mkdir(exist_ok=True)
        table.to_csv(folder / f"{name}.csv", index=False, encoding="utf-8")
    return path


def csv_folder(path: Path) -> str:
    """Return the name of the folder beside a report that holds its tables as CSV."""
    return f"{path.stem}_tables"
