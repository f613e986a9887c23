"""Which classes and clips are answered wrong: tables, and their sound."""

import io
import json
import shutil
import subprocess

import numpy as np
import pandas as pd
import pytest
import soundfile
from sklearn.metrics import confusion_matrix, precision_recall_fscore_support
from synthetic_checkpoints import CLIPS, keep_checkpoint
from synthetic_records import SETTINGS, chosen, record

from fewshot_audio.report.classes import per_class
from fewshot_audio.report.records import read_runs
from fewshot_audio.report.selection import select
from fewshot_audio.report.sounds import LONGEST, mp3, sounds_of
from fewshot_audio.report.worst import place, worst_clips
from fewshot_audio.types import NoRunsError, StoreError

FIRST = [("dog", 0.8, 0.1, 0.1), ("bell", 0.3, 0.2, 0.5), ("dog", 0.9, 0.1, 0), ("bell", 0, 0, 1)]
OTHER = [
    ("dog", 0.6, 0.2, 0.2),
    ("siren", 0.2, 0.5, 0.3),
    ("bell", 0.3, 0.3, 0.4),
    ("dog", 0.9, 0, 0.1),
]


@pytest.fixture
def store(tmp_path):
    """A results folder with two runs and their checkpoints."""
    made = []
    for repeat, answers in enumerate([FIRST, OTHER], 1):
        made.append(record(1, 5, repeat, "log_eps", 0.5))
        keep_checkpoint(tmp_path, made[-1]["key"], answers)
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs/x.jsonl").write_text("".join(json.dumps(each) + "\n" for each in made))
    return tmp_path


def worst_of(folder, clips=3):
    selection = select(read_runs([folder])[0], SETTINGS)
    return worst_clips(selection, "worst_clips", "Worst", clips)


def test_precision_recall_and_f1_pool_clips_of_all_runs():
    labels, answers = [0] * 8 + [1] * 8 + [2], [0] * 3 + [1] * 9 + [0, 0, 1, 1, 0]
    made = []
    for repeat, half in enumerate([slice(0, 4), slice(4, 17)], 1):
        matrix = confusion_matrix(labels[half], answers[half], labels=range(4)).tolist()
        more = {"class_names": ["dog", "siren", "cat", "none"], "confusion_matrix": matrix}
        made += [record(1, 5, repeat, name, 0.5, **more) for name in ("log_eps", "leaf")]
    selection = chosen(made)
    matrices = selection.runs["confusion_matrix"]
    selection.runs["confusion_matrix"] = [json.dumps(each).encode() for each in matrices]
    table = per_class(selection, "per_class", "Each class")
    expected = precision_recall_fscore_support(labels, answers, labels=range(3), zero_division=0)
    for name, values in zip(("precision", "recall", "F1"), expected, strict=False):
        cells = table.cells.query(f"metric == '{name}' and frontend == 'leaf'").set_index("class")
        np.testing.assert_allclose(cells["mean"][["dog", "siren", "cat"]].fillna(0), values)
    text = table.text.set_index([("", "class"), ("", "n")])
    assert text.loc[("dog", "5"), ("recall", "log_eps")] == "37.5 (8)"
    assert text.loc[("dog", "5"), ("precision", "leaf")] == "50.0 (6)"
    assert text.loc[("none", "5")].iloc[2:].tolist() == ["–"] * 6  # no clips, no answers


def test_the_worst_clips_are_wrong_most_often(store):
    """Of those wrong as often, the least probable come first."""
    table = worst_of(store)
    assert table.text.iloc[:, 3:].to_numpy().tolist() == [
        ["siren, long.wav", "siren", "bell", "20.0", "2 of 2 runs"],
        ["dog/2.wav", "dog", "bell", "25.0", "2 of 2 runs"],
        ["b/é.wav", "bell", "dog", "55.0", "1 of 2 runs"],
    ]
    assert len(worst_of(store, clips=1).cells) == 1
    assert place("a.wav", "5.0", "") == "a.wav, from 5 s"
    right = worst_of(store, clips=9).text.iloc[-1].tolist()
    assert right[3:] == ["dog/1.wav", "dog", "–", "70.0", "0 of 2 runs"]


def test_a_run_and_its_checkpoint_count_only_together(store):
    keep_checkpoint(store, "unknown", FIRST)
    made = record(1, 5, 3, "log_eps", 0.5)
    with (store / "runs/x.jsonl").open("a") as file:
        file.write(json.dumps(made) + "\n")
    assert worst_of(store).cells["runs"].tolist() == [2, 2, 2]
    with pytest.raises(NoRunsError, match="no run has a checkpoint; checkpoint=true keeps them"):
        worst_clips(chosen([made]), "worst_clips", "Worst")


def test_parts_of_files_and_several_labels(tmp_path):
    made = record(1, 5, 1, "log_eps", 0.5)
    parts = [("0.5", "1.50"), ("0", "1")]
    clips = {"a#1-2.wav": "dog;bell", "b.wav": ""}
    answers = [("dog", 0.9, 0.1, 0.25), ("siren", 0.1, 0.9, 0.1)]
    keep_checkpoint(tmp_path, made["key"], answers, clips=clips, parts=parts)
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs/x.jsonl").write_text(json.dumps(made) + "\n")
    assert worst_of(tmp_path).text.iloc[:, 3:].to_numpy().tolist() == [
        ["a#1-2.wav, 0.5–1.5 s", "dog;bell", "dog", "25.0", "1 of 1 runs"],
        ["b.wav, 0–1 s", "–", "siren", "–", "1 of 1 runs"],
    ]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("test.csv", ""),
        ("test.csv", "path,label\na,b\n"),
        ("test.csv", "path,label,prediction,correct,p_dog\na,b,c,true,1\n"),
        ("checkpoint.json", "{"),
    ],
)
def test_a_broken_checkpoint_is_named(store, name, content):
    broken = next((store / "checkpoints").iterdir()) / name
    broken.write_text(content)
    with pytest.raises(StoreError, match=f"{broken}: .*; do this run again, or remove the folder"):
        worst_of(store)


@pytest.mark.parametrize(
    ("rate", "kind", "subtype"),
    [(96000, "wav", "PCM_24"), (22050, "aiff", "PCM_16"), (7000, "flac", "PCM_16")],
)
def test_any_file_becomes_a_short_mp3(tmp_path, rate, kind, subtype):
    times = np.arange(12 * rate) / rate
    tone = 0.5 * np.sin(2 * np.pi * 440 * times)
    soundfile.write(tmp_path / f"a.{kind}", np.stack([tone, 0 * tone], 1), rate, subtype)
    for start, end, seconds in (("", "", LONGEST), ("11.5", "20", 0.5)):
        content = mp3(tmp_path / f"a.{kind}", start, end)
        samples, shown = soundfile.read(io.BytesIO(content))
        assert samples.ndim == 1
        assert len(samples) / shown == pytest.approx(seconds, abs=0.01)
        peak = np.abs(np.fft.rfft(samples)).argmax() * shown / len(samples)
        assert peak == pytest.approx(440, abs=2)
        assert np.abs(samples[len(samples) // 4 : -len(samples) // 4]).max() == pytest.approx(
            0.25, abs=0.03
        )
        assert len(content) < 20000 * seconds


def test_each_clip_is_heard_once_or_named_as_soundless(store, tmp_path):
    for path in list(CLIPS)[1:3]:
        (tmp_path / path).parent.mkdir(exist_ok=True)
        soundfile.write(tmp_path / path, np.zeros(8000), 8000)
    soundfile.write(tmp_path / "dog/2.wav", np.zeros(0), 8000)
    cells = worst_of(store).cells
    both = pd.concat([cells, cells.assign(frontend="leaf", taken_for="bell")])
    sounds, notes = sounds_of(both, tmp_path)
    assert [(each.name, each.text) for each in sounds] == [
        ("siren, long.wav", "siren; taken for bell (sb_cnn / log_eps, sb_cnn / leaf)")
    ]
    first, *files = notes[0].splitlines()
    assert first == "2 of the worst clips have no sound"
    assert [each.split(":")[0].strip() for each in files] == ["dog/2.wav", "b/é.wav"]


@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="there is no ffmpeg")
def test_clips_that_ffmpeg_decodes_have_sound_too(tmp_path):
    tone = np.sin(np.arange(32000) / 9).astype(np.float32)
    soundfile.write(tmp_path / "a.wav", tone, 16000)
    command = ["ffmpeg", "-loglevel", "error", "-i", tmp_path / "a.wav", tmp_path / "a.m4a"]
    subprocess.run(command, check=True)
    for name in ("a.wav", "a.m4a"):
        samples, rate = soundfile.read(io.BytesIO(mp3(tmp_path / name, "0.5", "1.5")))
        assert rate == 16000
        assert abs(len(samples) - 16000) < 2400
        assert 0.5 < np.sqrt(np.mean(samples[2000:14000] ** 2)) < 0.9
