"""Commands of ``brainlm``."""

from __future__ import annotations

from inspect import Parameter
from pathlib import Path
from typing import Annotated

import typer

from brainlm.cli import completion
from brainlm.cli.analyses import command_of, list_analyses, question_of
from brainlm.cli.figures import plot
from brainlm.cli.tables import print_table
from brainlm.errors import UnknownNameError, unknown_name
from brainlm.results.places import bundle_file
from brainlm.workflow.command import StoppableGroup, failures, run_command
from brainlm.workflow.option_groups import grouped

app = typer.Typer(
    cls=StoppableGroup,
    add_completion=True,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Language models and language in the brain: data, features, encoding, decoding, figures.",
    epilog="Exit codes: 0 done; 1 doctor found a problem, or a bug; 2 what was asked for cannot be "
    "done, and one line says why; 130 stopped by Ctrl-C.",
)


DataSet = Annotated[
    str | None,
    typer.Argument(
        help="Name; leave it out for a list.", autocompletion=completion.data_sets_begun
    ),
]
Analysis = Annotated[
    str | None,
    typer.Argument(help="Name; leave it out for a list.", autocompletion=completion.analyses_begun),
]
RootOption = Annotated[
    Path | None,
    typer.Option(help="Folder of the data sets. Default: BRAINLM_DATA, then the cache."),
]


def _show_version(asked: bool) -> None:
    if asked:
        import brainlm

        typer.echo(f"brainlm {brainlm.__version__}")
        raise typer.Exit


@app.callback()
def common(
    version: Annotated[
        bool,
        typer.Option("--version", help="Show the version.", callback=_show_version, is_eager=True),
    ] = False,
) -> None:
    """Language models and language in the brain: data, features, encoding, decoding, figures."""


@app.command()
def datasets(
    name: DataSet = None,
    root: RootOption = None,
    modality: Annotated[str | None, typer.Option(help="Only this one, such as meg.")] = None,
    language: Annotated[str | None, typer.Option(help="Only this one, such as zh.")] = None,
    here: Annotated[bool, typer.Option("--here", help="Only those on this machine.")] = False,
    markdown: Annotated[
        bool, typer.Option("--markdown", help="Print the table of docs/datasets.md.")
    ] = False,
) -> None:
    """List the data sets, or show one card with its citation."""
    from brainlm.cli import catalogue

    if markdown:
        if name is not None:
            raise UnknownNameError(f"--markdown is the table of all data sets: leave {name!r} out")
        typer.echo(catalogue.datasets_markdown(), nl=False)
    elif name is not None:
        typer.echo(catalogue.dataset_page(name, root))
    else:
        print_table(catalogue.dataset_rows(root, modality=modality, language=language, here=here))


@app.command()
def describe(
    name: Annotated[
        str, typer.Argument(help="Data set.", autocompletion=completion.data_sets_begun)
    ],
    subject: Annotated[str | None, typer.Option(help="Default: the first one.")] = None,
    root: RootOption = None,
    out: Annotated[Path | None, typer.Option(help="Image file of words and responses.")] = None,
) -> None:
    """Describe one subject of a data set, and the feature spaces that cover its words."""
    from brainlm.cli.catalogue import coverage_rows
    from brainlm.datasets.card import read_card
    from brainlm.datasets.folders import list_subjects
    from brainlm.datasets.open import open_responses
    from brainlm.plotting.summary import describe as lines_about
    from brainlm.plotting.summary import plot_recording

    subject = list_subjects(name, root)[0] if subject is None else subject
    if read_card(name).kind == "maps":
        _describe_maps(name, subject, root, out)
        return
    stimulus, recording = open_responses(name, subject, root)
    typer.echo(lines_about(stimulus, recording))
    if stimulus is not None:
        coverage = coverage_rows(stimulus, root)
        typer.echo("\nshare of the words that each feature space on this machine covers")
        if coverage:
            print_table(coverage)
        else:
            typer.echo(f"  none for {stimulus.language!r}: see brainlm datasets, brainlm models")
    if out is not None:
        if stimulus is None or recording is None:
            raise UnknownNameError(f"{name}: words and responses are needed for an image (--out)")
        from matplotlib.figure import Figure

        figure = Figure(figsize=(9, 4), layout="constrained")
        plot_recording(stimulus, recording, figure.subplots())
        figure.savefig(out, dpi=150)
        typer.echo(str(out))


def _describe_maps(name: str, subject: str, root: Path | None, out: Path | None) -> None:
    from brainlm.datasets.open import open_maps

    maps = open_maps(name, subject, root)
    typer.echo(repr(maps))
    for each, values in zip(maps.names, maps.data, strict=True):
        typer.echo(f"  {each}: {values.min():.3g} to {values.max():.3g} {maps.unit}")
    for note in maps.notes:
        typer.echo(f"  note: {note}")
    if out is not None:
        from brainlm.plotting import surface_views

        surface_views(maps).savefig(out, dpi=150)
        typer.echo(str(out))


@app.command()
def bids(folder: Annotated[Path, typer.Argument(help="A BIDS folder of your own.")]) -> None:
    """List the recordings in a BIDS folder, and how to name them in read_bids."""
    from brainlm.io.bids_contents import survey_bids

    for row in survey_bids(folder):
        for key, value in row.items():
            typer.echo(f"{key:9s} {value}")
        typer.echo("")


@app.command("list")
def list_everything(root: RootOption = None) -> None:
    """List analyses, language models and data sets by name."""
    from brainlm.cli import catalogue

    typer.echo("analyses (brainlm run NAME)")
    for each in list_analyses():
        typer.echo(f"  {each:24s} {question_of(each)}")
    typer.echo("\nlanguage models (brainlm fetch NAME, or any Hugging Face id)")
    print_table(catalogue.model_rows())
    typer.echo("\ndata sets (brainlm datasets NAME)")
    print_table(catalogue.dataset_rows(root))


@app.command()
def models() -> None:
    """List the language models that need no model hub, and usual names of others."""
    from brainlm.cli import catalogue
    from brainlm.language_models.hub import USUAL

    print_table(catalogue.model_rows())
    typer.echo(f"\nfrom the Hugging Face hub, as any id org/model: {', '.join(USUAL)}")


@app.command()
def fetch(
    names: Annotated[
        list[str],
        typer.Argument(
            help="Data sets or language models.", autocompletion=completion.fetchable_begun
        ),
    ],
    root: RootOption = None,
    subjects: Annotated[
        str | None, typer.Option(help="Subjects of a data set, separated by commas: s18,s22.")
    ] = None,
    accept_licence: Annotated[
        bool, typer.Option("--accept-licence", help="Accept a non-commercial licence.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask before more than 1 GB.")] = False,
) -> None:
    """Download data sets and language models into the cache, checked by SHA-256."""
    from brainlm.cli.catalogue import licence_line, size_question
    from brainlm.datasets.fetch import fetch_dataset
    from brainlm.datasets.folders import list_datasets
    from brainlm.language_models import fetch_model, list_models
    from brainlm.language_models.hub import USUAL, hub_size
    from brainlm.storage.downloads import readable_size

    models = {model.name: model for model in list_models()}
    for name in names:
        if name in models:
            model = models[name]
            size = readable_size(model.size)
            typer.echo(f"{model.title}. Download: {size}. Licence: {model.licence}")
            if not yes and (asked := size_question(name, None, model.size)):
                typer.confirm(asked, abort=True)
            path = fetch_model(name)
        elif name in list_datasets():
            typer.echo(licence_line(name))
            if not yes and (asked := size_question(name, subjects)):
                typer.confirm(asked, abort=True)
            path = fetch_dataset(
                name,
                root,
                subjects=subjects.split(",") if subjects else None,
                accept_licence=accept_licence,
                progress=True,
            )
        elif "/" in name or name in USUAL:
            n_bytes = hub_size(name)
            typer.echo(f"{name} from the Hugging Face hub. Download: {readable_size(n_bytes)}")
            if not yes and (asked := size_question(name, None, n_bytes or 0)):
                typer.confirm(asked, abort=True)
            path = fetch_model(name)
        else:
            raise unknown_name("data set or language model", name, [*list_datasets(), *models])
        typer.echo(f"{name}: {path}")


app.command("plot")(grouped(plot))


@app.command()
def report(
    bundles: Annotated[list[Path], typer.Argument(help="Folders of result bundles.")],
    out: Annotated[
        Path | None, typer.Option(help="HTML file. Default: report.html in the (first) bundle.")
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a report.")] = False,
) -> None:
    """Write one HTML file about bundles, with its tables as CSV beside it."""
    for bundle in bundles:
        bundle_file(bundle)
    from brainlm.results.bundle import load_bundle
    from brainlm.results.report import csv_folder, report_page, report_tables, write_report

    questions = {name: question_of(name) for name in list_analyses()}
    loaded, path = [load_bundle(bundle) for bundle in bundles], out or bundles[0] / "report.html"
    text = report_page(loaded, questions, csv=csv_folder(path))
    tables = report_tables(loaded)
    typer.echo(str(write_report(path, text, tables=tables, overwrite=overwrite)))


@app.command()
def export(
    bundle: Annotated[Path, typer.Argument(help="Folder of a result bundle with brain maps.")],
    out: Annotated[Path, typer.Option(help="New folder of the data set.")],
    space: Annotated[
        str | None, typer.Option(help="Template of the maps, such as MNI152NLin2009cAsym.")
    ] = None,
) -> None:
    """Write the brain maps of a bundle as BIDS derivatives, for nilearn, fMRIPrep, NeuroVault."""
    bundle_file(bundle)
    from brainlm.results.bundle import load_bundle
    from brainlm.results.derivatives import write_derivatives

    for path in write_derivatives(load_bundle(bundle), out, space=space):
        typer.echo(str(path))


@app.command(
    "run",
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
    add_help_option=False,
)
def run_analysis(context: typer.Context, name: Analysis = None) -> None:
    """Run an analysis: ``brainlm run NAME --help`` shows its options."""
    if name is None or name in ("--help", "-h"):
        typer.echo("Usage: brainlm run NAME [OPTIONS]    (brainlm run NAME --help)\n\nAnalyses:")
        for each in list_analyses():
            typer.echo(f"  {each:24s} {question_of(each)}")
        typer.echo(
            "\nAll take --config FILE.toml and --set key=value, with the names of their options."
        )
        return
    run_command(command_of(name), context.args, f"brainlm run {name}")


@app.command(
    "decode",
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
    add_help_option=False,
)
def decode_folder(context: typer.Context) -> None:
    """Read text back from a participant's own folder (layout of ds003020 and ds004510)."""
    run_command(command_of("decode_story_folder"), context.args, "brainlm decode")


StudyFile = Annotated[Path, typer.Argument(help="TOML file of the study; see docs/cluster.md.")]
Settings = Annotated[
    list[str] | None,
    typer.Option("--set", help="Change a setting: --set folds=4 --set 'delays=[1,2]'."),
]


@app.command()
def plan(
    study: StudyFile,
    workers: Annotated[int, typer.Option(min=1, help="Workers of one core each.")] = 1,
    gflops: Annotated[
        float | None,
        typer.Option(help="Speed of a worker in GFLOP/s. Default: measured here, one core."),
    ] = None,
    price: Annotated[float | None, typer.Option(help="Price of a worker for an hour.")] = None,
    gpus: Annotated[int, typer.Option(min=0, help="GPUs to use in place of the workers.")] = 0,
    gpu_gflops: Annotated[float | None, typer.Option(help="Speed of a GPU in GFLOP/s.")] = None,
    gpu_price: Annotated[float | None, typer.Option(help="Price of a GPU for an hour.")] = None,
    storage: Annotated[
        float | None, typer.Option(help="GB per second that the storage gives to all together.")
    ] = None,
    settings: Settings = None,
) -> None:
    """Estimate the tasks, bytes, operations, hours and price of a study."""
    from brainlm.batch.plan import Machines, plan_lines
    from brainlm.batch.study_reading import read_planned

    machines = Machines(workers, gflops, price, gpus, gpu_gflops, gpu_price, storage)
    for line in plan_lines(read_planned(study, settings or ()), machines):
        typer.echo(line)


@app.command()
def encode(
    study: StudyFile,
    out: Annotated[Path, typer.Option(help="Folder of the result bundle.")],
    cluster: Annotated[
        str | None,
        typer.Option(help="local:N, slurm:N or the address of a Dask scheduler. Default: none."),
    ] = None,
    settings: Settings = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a bundle.")] = False,
) -> None:
    """Score feature spaces against responses in files, on one machine or many.

    An interrupted run is resumed: finished tasks are kept in OUT.parts.
    """
    from brainlm.batch.run import encode_study

    for line in encode_study(study, out, cluster, settings or (), overwrite=overwrite):
        typer.echo(line)


@app.command()
def doctor(root: RootOption = None) -> None:
    """Check the installation: what is installed, found and missing, with advice."""
    from brainlm.cli.doctor import examine

    problems = 0
    for finding in examine(root):
        advice = f"  ({finding.advice})" if finding.advice else ""
        typer.echo(f"{finding.mark} {finding.what}{advice}")
        problems += finding.mark == "!!"
    if problems:
        raise typer.Exit(1)


def main() -> None:
    """Entry point; `brainlm.workflow.options.failures` says what the exit codes mean."""
    with failures({"root": Parameter("root", Parameter.KEYWORD_ONLY)}):
        app()


if __name__ == "__main__":
    main()
