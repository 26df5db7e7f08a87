"""Can the words of a sentence be read back from one person's brain activity?

Pereira et al. 2018, sentence mode: one pattern of 1,000 principal components per sentence. Whole
topics are left out, an eighth of them at a time; on the others a mapper learns the mean embedding
of the words (a layer of a causal model) and a ridge the number of words. Held-out sentences are
then searched for by the similarity of embeddings, and from the patterns of other topics (permuted
brain: whole topics of one experiment change places, so that the sentences of a passage stay
together), noise that passes through the mapper, the language model alone, the true embedding
(ceiling) and random reconstructions. Permutation and noise are drawn several times.

The tests are differences, brain minus each control, paired inside sentences and averaged over
topics: 48 topics are enough for sign flips, and passages of a topic share their content. Scorers
without the pattern (language model, random) decode once for each number of words in a fold:
sentences of equal length share the text, which widens the spread of the null, if anything. So z and
p against random reconstructions are not the evidence here; the paired differences are.
"""

from typing import Annotated, Any

import numpy as np
import typer

from brainlm.datasets.folders import list_subjects
from brainlm.datasets.open import open_dataset
from brainlm.decoding import CAUTION
from brainlm.decoding.controls import cautions
from brainlm.decoding.names import MAPPERS
from brainlm.decoding.sentence_study import ALPHAS, score_sentences
from brainlm.decoding.text_view import condition_tables
from brainlm.encoding.splits import Groups
from brainlm.language_models.model import LanguageModel
from brainlm.workflow import Run, analysis, options, run_command
from brainlm.workflow import decoding_steps as steps
from brainlm.workflow.decoding_options import SearchOptions, SentenceDecoderOptions

DATASET = "pereira2018"
N_FOLDS = 8
DECODER, SEARCH = SentenceDecoderOptions(), SearchOptions()


@analysis
def main(
    run: Run,
    subjects: options.Subjects = "all",
    decoder: SentenceDecoderOptions = DECODER,
    sentences: Annotated[
        int, typer.Option(min=8, help="Held-out sentences to decode, drawn from all topics.")
    ] = 627,
    search: SearchOptions = SEARCH,
    encoder: Annotated[str, typer.Option(help="Encoder of the similarities.")] = "minilm",
) -> None:
    options.choose(decoder.mapper, MAPPERS, "mapper")
    (subject,) = options.choose(subjects, list_subjects(DATASET, run.root))
    stimulus, recording = open_dataset(DATASET, subject, run.root)
    run.uses(recording)
    study = steps.open_sentence_study(run, stimulus, recording, decoder, search)
    n, rng = len(study.topics), np.random.default_rng(0)
    chosen = np.isin(np.arange(n), rng.permutation(n)[: 6 if run.debug else sentences])
    folds = list(Groups(study.topics, 2 if run.debug else N_FOLDS).split(study.patterns))
    found = []
    for number, (train, test) in enumerate(folds):
        train = train[::3] if run.debug else train
        found.append(study.decode_fold(number, train, test, chosen, rng))
        mapping = "r {:.3f}, 2v2 {:.3f}, rank {:.3f}".format(*found[-1].mapping)
        run.show(f"fold {number + 1} of {len(folds)}, left-out topics: {mapping}")
    order = np.concatenate([test[chosen[test]] for _, test in folds])
    scores = score_sentences(found, study, order, LanguageModel(encoder))
    topics = f"{int(scores['n_units'])} topics"
    title = f"Pereira 2018, {len(order)} sentences of left-out topics, {decoder.mapper}"
    scores.attrs |= {"title": f"{title}, beam {study.beam}", "units": topics}
    run.show(*cautions(scores), *report_lines(scores))
    run.note(*cautions(scores), CAUTION, f"brain minus controls: over {topics}, weighed alike")
    run.uses(study.model)
    used = {"sentences": len(order), "alphas": ALPHAS}
    run.save(arrays={"scores": scores}, figures=["reconstruction_scores"], **used)


def report_lines(scores: Any) -> list[str]:
    """Return the mean mapping, all tables, and the texts of the first sentences."""
    values = [f"{name} {float(scores[f'mapping_{name}']):.3f}" for name in ("r", "2v2", "rank")]
    lines = [f"mapping, mean over folds: {', '.join(values)}", *condition_tables(scores)]
    for i in range(min(4, scores.sizes["window"])):
        lines.append(f"\nreference: {scores['reference_text'].values[i]}")
        for name in ("brain", "ceiling"):
            lines.append(f"{name:9s}: {scores['text'].sel(condition=name).values[i]}")
    return lines


if __name__ == "__main__":
    run_command(main)
