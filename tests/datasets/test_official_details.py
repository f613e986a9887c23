"""What single official datasets have of their own, and what is said of damage."""

import shutil
from collections import Counter

import pytest
import soundfile

from fewshot_audio.types import ConfigError, DataError
from official_reading import read, verify


def test_a_part_of_the_words(trees):
    root, _ = trees["speech_commands"]
    dataset = read("speech_commands", root, "dataset.words=[yes]")
    assert (dataset.classes, dataset.notes) == (("yes",), ("only 1 of 2 words",))
    with pytest.raises(ConfigError, match=r"words=\['noise'\]: expected some of \['no', 'yes'\]"):
        read("speech_commands", root, "dataset.words=[noise]")


def test_pitches_are_in_the_order_of_numbers(trees):
    assert read("nsynth_pitch", trees["nsynth_pitch"][0]).classes == ("9", "60", "100")


def test_actors_stay_in_one_fold(trees):
    root, _ = trees["crema_d"]
    three = read("crema_d", root, "dataset.folds=3")
    actors = [{clip.group for clip in fold.test} for fold in three.folds]
    assert actors == [{"1001", "1004", "1076"}, {"1002", "1005"}, {"1003", "1006"}]
    assert three.leak_unit == "actor"
    with pytest.raises(ConfigError, match="folds=1: expected at least 2"):
        read("crema_d", root, "dataset.folds=1")


@pytest.mark.parametrize("tree", ["bird_detection"], indirect=True)
def test_bird_sets_in_folders_of_their_own_and_two_of_three(tree):
    name, root, _ = tree
    for table in list(root.glob("*.csv"))[:2]:
        (root / table.stem).mkdir()
        shutil.copytree(root / "wav", root / table.stem / "wav")
        table.rename(root / table.stem / table.name)
    assert [len(fold.test) for fold in read(name, root).folds] == [4, 4, 4]
    (root / "ff1010bird_metadata_2018.csv").unlink(missing_ok=True)
    shutil.rmtree(root / "ff1010bird_metadata_2018", ignore_errors=True)
    dataset = read(name, root)
    assert [fold.number for fold in dataset.folds] == [2, 3]
    assert dataset.notes == ("only 2 of 3 sets",)
    with pytest.raises(DataError, match="expected tables ff1010bird_metadata_2018.csv, warblrb10k"):
        read(name, root / "wav")


@pytest.mark.parametrize("tree", ["tau_urban"], indirect=True)
def test_lists_of_2018_are_texts_without_a_header(tree):
    name, root, _ = tree
    expected = read(name, root)
    assert Counter(clip.group for clip in expected.clips) == {
        "lyon-0": 2,
        "lyon-1": 2,
        "milan-7": 2,
    }
    for path in (root / "evaluation_setup").iterdir():
        lines = path.read_text().splitlines(keepends=True)
        path.with_suffix(".txt").write_text("".join(lines[1:]))
        path.unlink()
    assert read(name, root).folds == expected.folds


def test_audioset_says_how_much_is_there(trees):
    root, _ = trees["audioset"]
    notes = ("balanced_train: 3 of 4 segments have a file", "eval: 2 of 3 segments have a file")
    dataset = read("audioset", root)
    assert dataset.notes == notes
    assert dataset.classes == ("Speech", "Dog", "Domestic animals, pets")
    with pytest.raises(DataError, match="unbalanced_train_segments.csv is missing"):
        read("audioset", root, "dataset.train=both")


def test_audioset_follows_links_to_folders(trees, tmp_path):
    root = shutil.copytree(trees["audioset"][0], tmp_path / "audioset")
    expected = read("audioset", root)
    (root / "eval").rename(tmp_path / "elsewhere")
    (root / "eval").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere/loop").symlink_to(root)
    assert read("audioset", root) == expected


@pytest.mark.parametrize("tree", ["audioset"], indirect=True)
def test_audioset_without_audio_says_which_names_are_expected(tree):
    name, root, _ = tree
    for folder in ("balanced_train", "eval"):
        shutil.rmtree(root / folder)
    (root / "-0RWZT_miFs_10000_20000.flac").rename(root / "0RWZT_miFs.flac")
    with pytest.raises(DataError, match="no file of a listed segment; expected names as ID.wav"):
        read(name, root)


@pytest.mark.parametrize(
    ("tree", "file", "old", "new", "text"),
    [
        ("esc50", "meta/esc50.csv", "category", "label", "column category is missing; found filen"),
        ("esc50", "meta/esc50.csv", ",dog,", ",,", r"esc50.csv:2: damaged row 1-1000-A-0.wav,1,,"),
        ("esc50", "meta/esc50.csv", "dog", "d\xf6g", "is no text in UTF-8"),
        (
            "voxceleb1",
            "iden_split.txt",
            "1 id",
            "4 id",
            r"iden_split.txt:1: expected 1, 2 or 3 and",
        ),
        (
            "nsynth",
            "nsynth-test/examples.json",
            '"instrument_str"',
            '"name"',
            "is damaged .*instrum",
        ),
        ("nsynth", "nsynth-test/examples.json", "}}", "", "is damaged"),
        (
            "bird_detection",
            "BirdVoxDCASE20k_csvpublic.csv",
            ",1\r",
            ",2\r",
            "hasbird 2, not 0 or 1",
        ),
        (
            "tau_urban",
            "meta.csv",
            "audio/bus-lyon-0",
            "audio/bus-lyon-5",
            "bus-lyon-0-0-a.wav is not",
        ),
        (
            "fsd50k",
            "FSD50K.ground_truth/dev.csv",
            ",val",
            ",dev",
            "4 has split dev, not train or val",
        ),
        ("fsd50k", "FSD50K.ground_truth/vocabulary.csv", "Dog", "Cat", "no such class: Dog"),
        (
            "audioset",
            "eval_segments.csv",
            "/m/09x0r",
            "/m/none",
            "eval_segments.csv: damaged row YT",
        ),
    ],
    indirect=["tree"],
)
def test_damage_is_named(tree, file, old, new, text):
    name, root, _ = tree
    content = (root / file).read_bytes()
    assert old.encode() in content
    (root / file).write_bytes(content.replace(old.encode(), new.encode("latin-1"), 1))
    with pytest.raises(DataError, match=text):
        read(name, root)


@pytest.mark.real
@pytest.mark.slow
def test_real_words_in_the_official_layout(shared, tmp_path):
    """The lists are made of the folder's own table."""
    with (shared / "keywords/keywords.csv").open() as file:
        rows = [line.strip().split(",") for line in file][1:]
    paths = {
        split: [p for p, _, _, s in rows if s == split] for split in ("train", "valid", "test")
    }
    for split, name in (("valid", "validation"), ("test", "testing")):
        lines = [path.replace(".flac", ".wav") for path in paths[split]]
        (tmp_path / f"{name}_list.txt").write_text("\n".join(lines))
    for path, _, _, _ in rows:
        (tmp_path / path).parent.mkdir(exist_ok=True)
        samples, rate = soundfile.read(shared / "keywords" / path, dtype="int16")
        soundfile.write(tmp_path / path.replace(".flac", ".wav"), samples, rate)
    dataset = read("speech_commands", tmp_path)
    assert dataset.classes == ("bed", "cat", "happy")
    (fold,) = dataset.folds
    found = {"train": fold.train, "valid": fold.valid, "test": fold.test}
    for split, clips in found.items():
        assert [c.path for c in clips] == sorted(p.replace(".flac", ".wav") for p in paths[split])
    report = verify("speech_commands", tmp_path, True)
    assert (report.expected, report.missing, report.changed) == (len(rows), (), ())
    assert "bed: 300, not 2014" in report.labels
