"""Official datasets, each as its yaml composes it, on a small tree in the official layout."""

import pytest
import soundfile

from fewshot_audio.types import DataError
from marks import slow_but
from official_reading import job_of, read, verify
from official_trees import TREES


def content_of(dataset):
    """Path to labels by split, or by the fold that tests."""

    def named(clips):
        return {c.path: {dataset.classes[label] for label in c.labels} for c in clips}

    if len(dataset.folds) > 1:
        return {str(fold.number): named(fold.test) for fold in dataset.folds}
    (fold,) = dataset.folds
    splits = {"train": fold.train, "valid": fold.valid, "test": fold.test}
    return {split: named(clips) for split, clips in splits.items() if clips}


VARIANTS = ("esc10", "nsynth_pitch")  # readers of esc50 and nsynth
every = pytest.mark.parametrize(
    "tree", slow_but(*(name for name in TREES if name not in VARIANTS), of=TREES), indirect=True
)


@every
def test_clips_splits_and_classes(tree):
    name, root, content = tree
    dataset = read(name, root)
    assert dataset.name == name
    expected = {
        split: {path: set(labels) for path, labels in clips.items()}
        for split, clips in content.splits.items()
    }
    assert content_of(dataset) == expected
    for fold in dataset.folds:
        assert not {*fold.train, *fold.valid} & set(fold.test)


@every
def test_the_rate_is_that_of_the_files_or_the_default(tree):
    name, root, content = tree
    rates = {soundfile.info(root / path).samplerate for c in content.splits.values() for path in c}
    assert job_of(name).mel.sample_rate in (*rates, 44100)
    assert (job_of(name).mel.sample_rate == 16000) == (rates == {16000})


@every
def test_verification(tree):
    name, root, content = tree
    for full in (False, True):
        assert verify(name, root, full).ok, verify(name, root, full)
    first, second = sorted(next(reversed(content.splits.values())))[:2]
    size = (root / second).stat().st_size
    (root / second).write_bytes((root / second).read_bytes()[: size // 2])
    (root / first).unlink()
    quick, full = (verify(name, root, full) for full in (False, True))
    assert quick.missing == ((first,) if content.listed else ())
    if name != "audioset":  # in which parts are usual, with their counts in the notes
        assert not quick.ok
    assert [text for text in full.changed if second in text]
    assert not full.ok


@every
def test_verification_knows_the_official_counts(tree, monkeypatch):
    name, root, _ = tree
    monkeypatch.undo()
    assert verify(name, root, False).labels


@pytest.mark.parametrize(
    "tree", slow_but("speech_commands", "esc50", "audioset", of=TREES), indirect=True
)
def test_missing_clips_can_be_left_out(tree):
    name, root, content = tree
    clips = next(iter(content.splits.values()))
    (root / next(iter(clips))).unlink()
    if content.listed and name != "speech_commands":  # whose training clips are on no list
        with pytest.raises(DataError, match="1 of .* listed files are missing"):
            read(name, root)
    dataset = read(name, root, "dataset.tolerate=[missing]")
    n_clips = sum(len(clips) for clips in content.splits.values())
    assert len(dataset.clips) == n_clips - 1


@pytest.mark.parametrize("tree", ["speech_commands"], indirect=True)
def test_speech_commands_as_torchaudio_reads_them(tree, tmp_path):
    from torchaudio.datasets import SPEECHCOMMANDS

    name, root, _ = tree
    (tmp_path / "SpeechCommands").mkdir()
    root.rename(tmp_path / "SpeechCommands/speech_commands_v0.02")
    dataset = read(name, tmp_path / "SpeechCommands")
    (fold,) = dataset.folds
    subsets = {"training": fold.train, "validation": fold.valid, "testing": fold.test}
    for subset, clips in subsets.items():
        theirs = SPEECHCOMMANDS(tmp_path, subset=subset)
        expected = [theirs.get_metadata(i) for i in range(len(theirs))]
        found = {
            (f"speech_commands_v0.02/{c.path}", dataset.classes[c.label], c.group) for c in clips
        }
        assert found == {(path, word, speaker) for path, _, word, speaker, _ in expected}


@pytest.mark.parametrize("tree", ["voxceleb1"], indirect=True)
def test_voxceleb1_as_torchaudio_reads_it(tree):
    from torchaudio.datasets import VoxCeleb1Identification

    name, root, _ = tree
    dataset = read(name, root)
    (fold,) = dataset.folds
    for subset, clips in {"train": fold.train, "dev": fold.valid, "test": fold.test}.items():
        theirs = VoxCeleb1Identification(root, subset)
        expected = [theirs.get_metadata(i) for i in range(len(theirs))]
        found = {(c.path, int(dataset.classes[c.label][3:])) for c in clips}
        assert found == {(f"wav/{path}", speaker) for path, _, speaker, _ in expected}
