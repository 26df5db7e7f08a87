"""Golden cases of decoded text: proposals, beams, simulated stories and ablations."""

from __future__ import annotations

import functools
import tempfile
from dataclasses import fields
from pathlib import Path

import numpy as np
from golden.cases import Arrays, arrays, register
from golden.made import WORDS, speller

from brainlm.data.recording import Recording
from brainlm.data.stimulus import Stimulus
from brainlm.decoding.ablation import (
    AblationStudy,
    Variant,
    ablation_table,
    decode_variants,
    first_minutes,
    grid,
    one_at_a_time,
)
from brainlm.decoding.beam_cache import BeamCache
from brainlm.decoding.beam_search import Beam
from brainlm.decoding.conditions import (
    block_derangement,
    brain_scorer,
    build_conditions,
    random_conditions,
    smooth_noise,
)
from brainlm.decoding.decoder import Settings, StoryDecoder, fit_story_decoder
from brainlm.decoding.embedding import EmbeddingDecoder
from brainlm.decoding.proposals import Nucleus, propose, repeats
from brainlm.decoding.sentences import fit_sentence_decoder, sentence_rows
from brainlm.decoding.simulated_subjects import LEAD, Simulation, simulate_stories
from brainlm.decoding.stories import Story, first_seconds, stories_of
from brainlm.decoding.story_folder import write_layout
from brainlm.decoding.story_scores import idf_of_stories, score_story_mapping
from brainlm.decoding.story_study import DecodingStudy, decode_conditions
from brainlm.decoding.text_scores import TextMetrics
from brainlm.decoding.tuning import choose_weight, gain_sd
from brainlm.decoding.vocabulary import Vocabulary, build_vocabulary
from brainlm.decoding.words import read_states

case = register("decoding")
THREADS = 1e-6  # sums in single precision follow the number of threads
SETTINGS = Settings(
    layer=2, context=4, n_components=24, n_targets=50, n_inputs=40, n_frequent=0, longest=12
)
BEAM = Beam(3, nucleus=Nucleus(mass=1, ratio=1e-3, most=6, beyond=0.6, no_repeats=False))


@functools.cache
def vocabulary() -> Vocabulary:
    """Return the words of `WORDS` as the tiny model spells them."""
    return build_vocabulary(speller().tokenizer, WORDS, "en", longest=12)


@case(single=True)
def proposals() -> Arrays:
    words, rng = vocabulary(), np.random.default_rng(9)
    cache = BeamCache(speller(), words, context=3)
    found = {}
    for k in range(5):
        width = 1 if k == 0 else 4
        proposed = propose(cache, Nucleus(0.8, 0.05, 30, 0.1), least=3)
        order = np.lexsort((proposed.word, proposed.parent))
        found[str(k)] = [proposed.parent[order], proposed.word[order], proposed.log_p[order]]
        cache.advance(rng.integers(0, width, 4), rng.integers(0, len(words), 4))
    branches = [[words.tokens[w] for w in (1, 5)], [], [words.tokens[2]], [words.tokens[9]]]
    texts = np.array([words.join([1, 4, 9]), *words.words, *words.left_out])
    return arrays(
        proposed=found,
        states=cache.states(branches, 2),
        repeated=repeats(np.arange(len(words)), np.array([1, 2, 8, 20]), words),
        tokens=[np.array(ids) for ids in words.tokens],
        texts=texts,
        read=read_states(speller(), WORDS[:12], "en", layer=2, context=3, lengths=[5, 7]),
    )


@functools.cache
def told() -> Stimulus:
    """Return five slowly spoken stories."""
    rng = np.random.default_rng(10)
    parts = [rng.choice(WORDS, n).tolist() for n in (300, 300, 300, 40, 40)]
    onset = np.concatenate([np.arange(len(words)) + 0.05 for words in parts])
    return Stimulus(
        [word for words in parts for word in words],
        "en",
        onset,
        np.full(len(onset), 0.9),
        run=np.repeat([f"s{i}" for i in range(5)], [len(words) for words in parts]),
    )


def heard(snr: float) -> list[Story]:
    """Return a simulated subject's stories."""
    given = Simulation(60, snr, responding=0.9, n_components=24, layer=2, context=4)
    found = simulate_stories(speller(), told(), given)
    length = [len(found[run]) for run in told().runs]
    recording = Recording(
        np.concatenate([found[run] for run in told().runs]),
        [f"v{i}" for i in range(60)],
        "fmri",
        "a.u.",
        times=np.concatenate([LEAD + 2.0 * np.arange(n) for n in length]),
        run=np.repeat(told().runs, length),
    )
    return stories_of(told(), recording)


@functools.cache
def study() -> tuple[list[Story], StoryDecoder]:
    """Return stories and the decoder that was fitted to the first three."""
    stories = heard(20.0)
    return stories, fit_story_decoder(speller(), stories[:3], SETTINGS)


@case(single=True)
def simulation() -> Arrays:
    responses = simulate_stories(speller(), told(), Simulation(30, 1.0, layer=2, context=4))
    story = heard(1.0)[3]
    cut = stories_of(told(), _recorded(story), average=2, period=40.0)[0]
    with tempfile.TemporaryDirectory() as folder:
        written = write_layout(Path(folder, "x"), "S1", told(), responses, ("s4",))
        files = sorted(str(path.relative_to(written)) for path in written.rglob("*.*"))
    return arrays(
        responses=responses,
        story=[np.asarray(story.responses), story.times, story.onset, story.middle],
        first=np.asarray(first_seconds(story, 30).responses),
        averaged=np.asarray(cut.responses),
        files=np.array(files),
    )


def _recorded(story: Story) -> Recording:
    Y = np.asarray(story.responses)
    names = [f"v{i}" for i in range(Y.shape[1])]
    run = np.repeat("s3", len(Y))
    return Recording(Y, names, "fmri", "a.u.", times=np.asarray(story.times), run=run)


@case(single=True, tolerance=THREADS)
def story_decoders() -> Arrays:
    stories, decoder = study()
    story = stories[4]
    rows, known = decoder.decoded_rows(np.asarray(story.responses))
    return arrays(
        targets=decoder.targets,
        weights=decoder.encoding.weights,
        r2=decoder.encoding.r2,
        decoded=rows,
        known=known,
        true=decoder.true_rows(story),
        mapping=score_story_mapping(decoder, story),
        word_times=decoder.word_times(np.asarray(story.responses), story.times),
        spread=np.array([gain_sd(decoder, story, story.middle, g) for g in ("likelihood",)]),
        idf=dict(sorted(idf_of_stories(stories[:3]).items())),
    )


@case(single=True, tolerance=THREADS)
def reconstructions() -> Arrays:
    stories, decoder = study()
    story, wrong = stories[4], np.asarray(stories[3].responses)
    scorers = {"Tang": ("likelihood", BEAM), "MapGuide": ("similarity", BEAM)}
    conditions = build_conditions(decoder, story, ("wrong story", wrong), scorers, n_draws=1)
    mixed = brain_scorer(decoder, np.asarray(story.responses), "mixture")
    first = next(iter(conditions.values()))
    conditions["mixture: brain"] = type(first)(mixed, first.middle, first.times, BEAM)
    few = {name: conditions[name] for name in ("Tang: brain", "language model", "ceiling")}
    more = [name for name in conditions if name.startswith(("MapGuide", "mixture"))]
    chosen = few | {name: conditions[name] for name in more if "wrong" not in name}
    said = decode_conditions(decoder, chosen | random_conditions(conditions, 1))
    scored = DecodingStudy(decoder, TextMetrics(["bleu-1"]), n_null=2).reconstruct(story, few)
    names = list(said)
    return arrays(
        names=np.array(names),
        text=np.array([" ".join(said[name].words) for name in names]),
        score=np.array([said[name].score for name in names]),
        log_p=np.array([said[name].log_p for name in names]),
        candidates=np.array([said[name].n_candidates for name in names]),
        scored=scored,
        weight=choose_weight({0.0: 0.2, 0.5: 0.3, 1.0: 0.3}),
        displaced=block_derangement(43, np.random.default_rng(0)),
        noise=smooth_noise((40, 6), np.random.default_rng(0)),
    )


@case(single=True)
def sentence_decoders() -> Arrays:
    rng = np.random.default_rng(11)
    sentences = [rng.choice(WORDS, n).tolist() for n in rng.integers(3, 7, 60)]
    states = read_states(
        speller(),
        [w for s in sentences for w in s],
        "en",
        layer=2,
        context=4,
        lengths=[len(s) for s in sentences],
    )
    rows = sentence_rows(states.astype(float), np.array([len(s) for s in sentences]))
    patterns = rows @ rng.standard_normal((rows.shape[1], 20))
    patterns += rng.standard_normal(patterns.shape)
    decoder = fit_sentence_decoder(
        speller(),
        vocabulary(),
        sentences[:50],
        patterns[:50],
        layer=2,
        n_components=16,
        mapper=EmbeddingDecoder("ridge", cv=4, standardize=False),
    )
    decoded = decoder.decoded_rows(patterns[50:])
    text = decoder.decode(decoded[0], 4, beam=BEAM)
    return arrays(
        decoded=decoded,
        n_words=decoder.n_words(patterns[50:]),
        true=decoder.true_rows(sentences[50:]),
        text=np.array(text.words),
        score=np.array([text.score, text.log_p]),
    )


@case(single=True)
def ablation() -> Arrays:
    default = Variant(snr=30.0, n_targets=50, n_inputs=40, n_components=16, width=2)
    study = AblationStudy(
        speller(),
        heard,
        TextMetrics(["bleu-1"]),
        Settings(layer=2, context=4, n_frequent=0, longest=12),
        30.0,
        2,
    )
    variants = [default, Variant(**(_fields(default) | {"snr": 0.0, "scorer": "likelihood"}))]
    found = decode_variants(study, variants)
    named = one_at_a_time(default) + grid(default, [0.0, 1.0], [10.0, 0.0])
    return arrays(
        table=ablation_table([("snr", variant) for variant in variants], found),
        factors=np.array([f"{name}: {variant}" for name, variant in named]),
        minutes=[story.times for story in first_minutes(heard(1.0)[:3], 8.0)],
    )


def _fields(variant: Variant) -> dict[str, object]:
    return {field.name: getattr(variant, field.name) for field in fields(variant)}
