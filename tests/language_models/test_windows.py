import numpy as np
import pytest

from brainlm.language_models.tokens import Frame, Tokens
from brainlm.language_models.windows import assemble, overlapping_spans, trailing_spans, whole_spans


def text(lengths, first=100):
    stop = np.cumsum(lengths)
    return Tokens(np.arange(first, first + stop[-1]), stop - lengths, stop)


@pytest.fixture
def texts():
    rng = np.random.default_rng(0)
    return [text(rng.integers(1, 5, size=n), first=1000 * n) for n in (1, 7, 120)]


@pytest.mark.parametrize("context", [0, 1, 5, 40, 500])
def test_overlapping_spans_give_every_word_its_context_once(texts, context):
    spans = overlapping_spans(texts, context, room=1000)
    for i, tokens in enumerate(texts):
        mine = [span for span in spans if span.text == i]
        read = np.concatenate([np.arange(span.keep, span.stop) for span in mine])
        assert read.tolist() == list(range(tokens.n_words))
        assert all(span.start == max(0, span.keep - context) for span in mine)
        assert all(span.stop - span.start <= max(2 * context, 1) for span in mine)


def test_overlapping_spans_fit_the_room(texts):
    for span in overlapping_spans(texts, 10, room=44):
        tokens = texts[span.text]
        assert tokens.stop[span.stop - 1] - tokens.start[span.start] <= 44


def test_context_that_does_not_fit_says_the_numbers():
    with pytest.raises(ValueError, match=r"context=10 words needs 22 tokens .* takes 21 at a time"):
        overlapping_spans([text([2] * 30)], 10, room=21)
    with pytest.raises(ValueError, match="context=10 words needs 22 tokens"):
        trailing_spans([text([2] * 30)], 10, room=21)
    with pytest.raises(ValueError, match=r"sentence 's1' has 60 tokens, the model takes 21"):
        whole_spans([text([2] * 30)], ["sentence 's1'"], room=21)


def test_trailing_spans_end_with_their_word(texts):
    spans = trailing_spans(texts, 3, room=100)
    assert [(s.start, s.keep, s.stop) for s in spans if s.text == 1][:5] == [
        (0, 0, 1),
        (0, 1, 2),
        (0, 2, 3),
        (0, 3, 4),
        (1, 4, 5),
    ]


@pytest.mark.parametrize(
    ("pooling", "expected"),
    [
        ("last", [[101], [102], [105]]),
        ("first", [[100], [102], [103]]),
        ("mean", [[100, 101], [102], [103, 104, 105]]),
    ],
)
def test_places_point_at_the_tokens_of_each_word(pooling, expected):
    tokens = text(np.array([2, 1, 3]))
    spans = trailing_spans([tokens], 1, room=10)
    windows = assemble([tokens], spans, Frame((7,), (9,)), pooling)
    assert [ids.tolist() for ids in windows.inputs] == [
        [7, 100, 101, 9],
        [7, 100, 101, 102, 9],
        [7, 102, 103, 104, 105, 9],
    ]
    found = [[], [], []]
    for row, window, position in zip(windows.row, windows.window, windows.position, strict=True):
        found[row].append(int(windows.inputs[window][position]))
    assert found == expected


@pytest.mark.parametrize("n_inputs", [None, 1, 3])
def test_batches_hold_every_row_once_and_point_at_its_tokens(texts, n_inputs):
    windows = assemble(texts, overlapping_spans(texts, 5, 200), Frame((7,), ()), "mean")
    ids = np.concatenate([tokens.ids for tokens in texts])
    start = np.concatenate([[0], np.cumsum([len(tokens.ids) for tokens in texts])])
    means = np.concatenate(
        [
            [ids[at + a : at + b].mean() for a, b in zip(tokens.start, tokens.stop, strict=True)]
            for tokens, at in zip(texts, start, strict=False)
        ]
    )
    found = np.full(windows.n_rows, np.nan)
    for batch in windows.batches(300, n_inputs):
        padded, mask = batch.padded(pad=-1)
        assert (padded[~mask] == -1).all()
        assert mask[np.unravel_index(batch.place, mask.shape)].all()
        assert np.isnan(found[batch.rows]).all()
        total = np.bincount(batch.unit, padded.ravel()[batch.place])
        found[batch.rows] = total / np.bincount(batch.unit)
    np.testing.assert_allclose(found, means)
