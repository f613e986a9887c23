"""The command predict: files in, a table or lines out."""

import json
import runpy
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile

import kept
from fewshot_audio.commands import predict
from fewshot_audio.features import audio
from fewshot_audio.runner import inputs
from fewshot_audio.runner import predict as predicting
from fewshot_audio.types import DataError


@pytest.fixture
def checkpoint(job, machine):
    return kept.kept(job, machine)


@pytest.fixture
def call(checkpoint, monkeypatch, capsys):
    """Do the command with the checkpoint and more words: exit code, output, errors."""

    def do(*words):
        monkeypatch.setattr(sys, "argv", ["predict.py", str(checkpoint), *map(str, words)])
        with pytest.raises(SystemExit) as ended:
            predict.command()
        return ended.value.code, *capsys.readouterr()

    return do


@pytest.fixture
def sounds(dataset):
    """The folder of the test clips."""
    return dataset.root / "audio/fold1"


def lines(text):
    return [json.loads(line) for line in text.splitlines()]


def test_the_accuracy_of_the_test_clips_is_that_of_the_record(call, checkpoint, dataset):
    code, out, err = call("--csv", checkpoint / "test.csv", "--root", dataset.root, "--json")
    accuracy = kept.about(checkpoint)["metrics"]["accuracy"]
    assert code == 0
    assert float(err.split()[1].strip(":")) == accuracy
    rows = kept.test_rows(checkpoint)
    assert [line["path"] for line in lines(out)] == [row["path"] for row in rows]
    assert [line["class"] for line in lines(out)] == [row["prediction"] for row in rows]


def test_all_numbers_are_those_of_the_run(call, checkpoint, dataset, tmp_path):
    file = tmp_path / "found.csv"
    words = ["--csv", checkpoint / "test.csv", "--root", dataset.root, "--output", file]
    assert call(*words, "--top", 5)[0] == 0
    table = pd.read_csv(file)
    assert list(table) == ["path", "start", "end", "class", "probability"]
    for row in kept.test_rows(checkpoint):
        own = table[table["path"] == row["path"]].set_index("class")["probability"]
        for name, value in own.items():
            assert np.float32(value) == np.float32(row[f"p_{name}"])
        assert own.is_monotonic_decreasing


def test_a_table_for_a_folder(call, sounds):
    code, out, err = call(sounds)
    head, *rows = out.splitlines()
    assert (code, err) == (0, "")
    assert head.split() == ["path", "start", "end", "class", "probability"]
    assert [row.split()[0] for row in rows] == sorted(str(each) for each in sounds.iterdir())


def test_folders_patterns_and_lists_name_files(call, sounds, tmp_path):
    (tmp_path / "list.txt").write_text(f"{sounds}\n\n{sounds}/*-0.wav\n", encoding="utf-8")
    count = len(list(sounds.iterdir()))
    words = {sounds.parents[1]: 3 * count, f"{sounds}/*.wav": count}
    words[f"@{tmp_path}/list.txt"] = count + count // 2
    for word, expected in words.items():
        code, out, _ = call(word, "--json")
        assert code == 0
        assert len(lines(out)) == expected


def test_bad_files_are_named_and_the_others_are_done(call, sounds, tmp_path):
    (tmp_path / "no sound é.wav").write_bytes(b"RIFF")
    first = sorted(sounds.iterdir())[0]
    code, out, err = call(tmp_path / "no sound é.wav", first, "gone.wav", "gone/*.wav", "--json")
    assert code == 1
    assert [line["path"] for line in lines(out)] == [str(first)]
    assert f"{tmp_path}/no sound é.wav: cannot be read" in err
    assert "gone.wav: missing" in err
    assert "gone/*.wav: no audio file there" in err
    assert err.endswith("3 files could not be read\n")


def test_truncated_and_impossible_files_are_skipped(call, sounds, tmp_path):
    samples, rate = soundfile.read(next(iter(sorted(sounds.glob("*.wav")))))
    soundfile.write(tmp_path / "loud.wav", 1e30 * samples, rate, subtype="FLOAT")
    soundfile.write(tmp_path / "half.aiff", samples, rate)
    soundfile.write(tmp_path / "well.aiff", samples, rate)
    content = (tmp_path / "half.aiff").read_bytes()
    (tmp_path / "half.aiff").write_bytes(content[: len(content) // 2])
    code, out, err = call(tmp_path, "--json")
    assert code == 1
    assert [line["path"] for line in lines(out)] == [str(tmp_path / "well.aiff")]
    assert "half.aiff: is truncated" in err
    assert "loud.wav: has a peak of" in err
    assert err.endswith("2 files could not be read\n")


def test_windows_over_time(call, sounds):
    first = sorted(sounds.iterdir())[0]
    code, out, _ = call(first, "--window", "0.5", "--hop", "0.25", "--json")
    starts = [line["start"] for line in lines(out)]
    assert code == 0
    assert starts == [0.25 * number for number in range(len(starts))]
    samples, rate = audio.decode(first)
    assert lines(out)[-1]["end"] == pytest.approx(len(samples) / rate, abs=1e-4)


def test_windows_far_apart_end_with_the_file(call, sounds):
    first = sorted(sounds.iterdir())[0]
    samples, rate = audio.decode(first)
    seconds = len(samples) / rate
    code, out, _ = call(first, "--window", seconds / 20, "--hop", seconds / 2.1, "--json")
    assert code == 0
    starts = [line["start"] for line in lines(out)]
    assert starts == pytest.approx([0, seconds / 2.1, seconds / 1.05], abs=1e-4)
    assert (
        len(lines(call(first, "--window", seconds / 20, "--hop", 1.1 * seconds, "--json")[1])) == 1
    )


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        pytest.param(
            "a.txt", "é.wav\n".encode("latin-1"), "expected text in UTF-8", marks=pytest.mark.slow
        ),
        ("a.csv", "path\né.wav\n".encode("latin-1"), "expected text in UTF-8"),
        ("a.csv", b"label,path\ndog\n", "expected rows with a column path, found"),
    ],
)
def test_lists_that_cannot_be_read(call, tmp_path, name, content, reason):
    file = tmp_path / name
    file.write_bytes(content)
    code, out, err = call(*([f"@{file}"] if name == "a.txt" else ["--csv", file]))
    assert (code, out) == (1, "")
    assert err.startswith(f"error: {file}: {reason}")


def test_a_class_with_a_semicolon_in_its_name():
    files = [inputs.Given("a.wav", Path("a.wav"), "cats; dogs")]
    inputs.check_labels(files, ["cats; dogs", "rain"])
    with pytest.raises(DataError, match="does not know:  dogs, cats"):
        inputs.check_labels(files, ["cats; dogs", "rain"], multi_label=True)


def test_parts_that_begin_together_all_count(call, sounds, checkpoint, tmp_path):
    first, names = sorted(sounds.iterdir())[0], kept.about(checkpoint)["class_names"]
    rows = [f"{first.name},{name},0,{end}" for name in names for end in (0.5, 1)]
    (tmp_path / "a.csv").write_text("\n".join(["path,label,start,end", *rows]))
    _, _, err = call("--csv", tmp_path / "a.csv", "--root", sounds)
    share = 1 / len(names)  # each answer is right once
    assert err == f"accuracy {share:.7g}: 2 of {len(rows)} clips\n"


def test_only_sure_answers(call, sounds):
    _, out, _ = call(sounds, "--json", "--threshold", "2")
    assert {line["class"] for line in lines(out)} == {None}


def test_several_labels_are_those_above_a_half():
    prediction = predicting.Prediction("a.wav", 0, 1, np.float32([0.7, 0.2, 0.9]), 2)
    names = ["x", "y", "z"]
    several = predict.rows_of(prediction, names, True, None, None)
    assert [(row["class"], row["probability"]) for row in several] == [("z", 0.9), ("x", 0.7)]
    assert len(predict.rows_of(prediction, names, True, 3, None)) == 3
    assert len(predict.rows_of(prediction, names, False, None, None)) == 1
    unscored = predicting.Prediction("a.wav", 0, 1, np.float32([np.nan] * 3), -1)
    (row,) = predict.rows_of(unscored, names, False, None, None)
    assert row["class"] is None


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["a.wav", "--output", "a.txt"], "expected a name that ends in .csv, .jsonl"),
        pytest.param(
            ["a.wav", "--hop", "1"], "--hop is of windows; add --window S", marks=pytest.mark.slow
        ),
        (["a.wav", "--device", "abacus"], "--device abacus: "),
        (["--csv", "table.csv"], "labels that the network does not know: dog; it was trained on"),
        pytest.param(
            ["--csv", "other.csv"], "expected rows with a column path", marks=pytest.mark.slow
        ),
        pytest.param(["--csv", "none.csv"], "none.csv", marks=pytest.mark.slow),
    ],
)
def test_mistakes_are_explained(call, tmp_path, monkeypatch, words, message):
    monkeypatch.chdir(tmp_path)
    Path("table.csv").write_text("path,label\na.wav,dog\n")
    Path("other.csv").write_text("file\na.wav\n")
    code, out, err = call(*words)
    assert (code, out) == (1, "")
    assert err.startswith("error: ")
    assert message in err


def test_a_folder_that_is_no_checkpoint(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(sys, "argv", ["predict.py", str(tmp_path), "a.wav"])
    with pytest.raises(SystemExit, match="1"):
        predict.command()
    assert "no checkpoint, expected checkpoint.json in it" in capsys.readouterr().err


def test_without_files_it_says_how(call):
    assert call()[0] == 2


def test_ctrl_c(call, sounds, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(predicting, "decode", interrupted)
    assert call(sounds) == (130, "", "interrupted\n")


def test_output_is_whole_or_not_there(call, sounds, tmp_path, monkeypatch):
    file = tmp_path / "found.jsonl"
    assert call(sounds, "--output", file)[0] == 0
    before = file.read_text()
    assert len(lines(before)) == len(list(sounds.iterdir()))

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full)
    code, _, err = call(sounds, "--output", file)
    assert (code, "No space left" in err) == (1, True)
    assert file.read_text() == before
    assert [each.name for each in tmp_path.glob(".*")] == []


def test_the_example_runs(checkpoint, sounds, capsys):
    example = Path(__file__).parents[1] / "examples/use_a_checkpoint.py"
    runpy.run_path(str(example))["main"](checkpoint, sorted(sounds.iterdir())[0])
    *rows, loss = capsys.readouterr().out.splitlines()
    assert sum(float(row.split()[0]) for row in rows) == pytest.approx(1, abs=0.01)
    assert loss.startswith("loss ")
