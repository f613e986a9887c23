"""Verification against manifests."""

import hashlib
import json
import os
import shutil
import sys

import pytest
import soundfile

from fewshot_audio.commands.verify import command
from fewshot_audio.datasets import folder, table, tut2017, urbansound8k
from fewshot_audio.datasets.synthetic import synthetic, verify
from fewshot_audio.datasets.verify import find_verifier, shipped_text
from fewshot_audio.features.cache import open_cache
from fewshot_audio.features.transforms import Waveform
from fewshot_audio.types import ConfigError


@pytest.fixture
def tree(synthetic_root, tmp_path):
    """A small dataset that a test may damage."""
    shutil.copytree(synthetic_root, tmp_path / "data")
    return synthetic("synthetic", tmp_path / "data", groups=3, clips_per_class=2)


@pytest.mark.parametrize("full", [False, True])
def test_untouched_files_are_well(tree, full):
    report = verify(tree.root, full, 2)
    assert report.ok
    assert report.expected == len(tree.clips)
    assert report.text().endswith("all is well")


def test_missing_changed_and_extra_files(tree):
    paths = [clip.path for clip in tree.clips]
    size = (tree.root / paths[1]).stat().st_size
    (tree.root / paths[0]).unlink()
    (tree.root / paths[1]).write_bytes(b"short")
    content = bytearray((tree.root / paths[2]).read_bytes())
    content[-1] ^= 1
    (tree.root / paths[2]).write_bytes(content)
    (tree.root / "audio/fold1/more.wav").touch()
    (tree.root / "audio/fold1/.hidden").touch()
    before = {path: path.stat().st_mtime_ns for path in tree.root.rglob("*")}
    quick, full = (verify(tree.root, full, 1) for full in (False, True))
    assert quick.missing == full.missing == (paths[0],)
    assert quick.extra == full.extra == ("audio/fold1/more.wav",)
    assert quick.changed == (f"{paths[1]}: 5 bytes, not {size}",)
    assert full.changed == (*quick.changed, f"{paths[2]}: other content of the same size")
    assert not quick.ok
    assert {path: path.stat().st_mtime_ns for path in tree.root.rglob("*")} == before


@pytest.mark.slow
def test_tut_by_list_format_and_archive(tmp_path):
    """All 6,300 names, three of them with audio: as published, mono, and too short."""
    for part in tut2017.PARTS:
        folder = tmp_path / tut2017.folder(part)
        (folder / "audio").mkdir(parents=True)
        (folder / "meta.txt").write_text(shipped_text(f"tut_asc_{part}.tsv"))
        for path, _, _ in tut2017.official_rows(part):
            (folder / path).touch()
    names = [path for path, _, _ in tut2017.official_rows("development")]
    audio = tmp_path / tut2017.folder("development")
    for name, channels, frames in zip(names, (2, 1, 2), (441000, 441000, 441), strict=False):
        soundfile.write(audio / name, [[0.0] * channels] * frames, 44100, subtype="PCM_24")
    (audio / names[3]).unlink()
    archive = "TUT-acoustic-scenes-2017-evaluation.meta.zip"
    (tmp_path / archive).write_bytes(b"not the archive")
    quick, full = (tut2017.verify(tmp_path, full, 2) for full in (False, True))
    assert quick.missing == (f"{audio.name}/{names[3]}",)
    assert (quick.changed, quick.labels) == ((), "")
    wrong = {text.split(": ")[0]: text for text in full.changed}
    assert len(wrong) == 6300 - 1  # without the good and the missing one, with the archive
    assert f"{audio.name}/{names[0]}" not in wrong
    assert "(44100, 1, 'PCM_24', 441000), not (44100, 2" in wrong[f"{audio.name}/{names[1]}"]
    assert "(44100, 2, 'PCM_24', 441), not" in wrong[f"{audio.name}/{names[2]}"]
    assert "cannot be read" in wrong[f"{audio.name}/{names[4]}"]
    assert wrong[archive] == f"{archive}: not the published archive"
    assert "archives checked: 1 of 19" in full.notes


@pytest.mark.real
def test_official_originals_have_their_published_hashes(shared):
    files = list((shared / "us8k_originals").glob("*.wav"))
    assert len(files) == 10
    manifest = shipped_text("us8k.tsv")
    assert all(hashlib.sha256(file.read_bytes()).hexdigest() in manifest for file in files)


@pytest.mark.real
def test_original_in_the_official_layout(shared, tmp_path):
    name = "100032-3-0-0.wav"
    (tmp_path / "metadata").mkdir()
    (tmp_path / "audio/fold5").mkdir(parents=True)
    shutil.copy(shared / "us8k/metadata/UrbanSound8K.csv", tmp_path / "metadata")
    shutil.copy(shared / "us8k_originals" / name, tmp_path / "audio/fold5")
    report = urbansound8k.verify(tmp_path, True, 2)
    assert (len(report.missing), report.changed, report.extra, report.labels) == (8731, (), (), "")


def test_unknown_dataset_function():
    with pytest.raises(ConfigError, match=r"nowhere.dataset cannot be found .*; expected package"):
        find_verifier("nowhere.dataset")


@pytest.fixture
def run(monkeypatch, capsys):
    """Run the command; return its exit code, output and errors."""

    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["verify.py", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            command()
        output = capsys.readouterr()
        return ended.value.code, output.out, output.err

    return call


def test_command(tree, run):
    """By name and by dotted name, as JSON and as text, with an exit code."""
    code, output, _ = run(
        "fewshot_audio.datasets.synthetic.synthetic", tree.root, "--full", "--json"
    )
    assert code == 0
    assert json.loads(output)["ok"] is True
    (tree.root / tree.clips[0].path).unlink()
    code, output, _ = run("synthetic", tree.root)
    assert code == 1
    assert f"missing: 1\n  {tree.clips[0].path}\n" in output


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("us8k", "nowhere"), "error: dataset.root=nowhere: no such folder"),
        (("us9k", "."), "error: dataset=us9k: no such dataset; did you mean us8k?"),
        (("math.sqrt", "."), "error: math.sqrt cannot be verified: math has no function verify"),
    ],
)
def test_command_explains_errors(run, arguments, text):
    code, _, errors = run(*arguments)
    assert code == 1
    assert errors.startswith(text)


@pytest.mark.parametrize(
    "words", [("--config-dir", "FOLDER"), ("hydra.searchpath=[file://FOLDER]",)]
)
def test_a_yaml_of_ones_own_names_the_dataset(run, tree, tmp_path, words):
    folder = tmp_path / "conf"
    (folder / "dataset").mkdir(parents=True)
    text = "defaults: [synthetic]\nname: mine\n"  # what it inherits counts too
    (folder / "dataset" / "mine.yaml").write_text(text)
    own = [word.replace("FOLDER", str(folder)) for word in words]
    code, output, errors = run(*own, "mine", tree.root)
    assert code == 0, errors
    assert "all is well" in output


def test_own_recordings(tmp_path, run):
    """A folder and its table: files are decoded in full, and the rows checked."""
    for i in range(10):
        path = tmp_path / f"{'ab'[i % 2]}/{i}.flac"
        path.parent.mkdir(exist_ok=True)
        soundfile.write(path, [0.1] * 800, 8000)
    rows = [f"{'ab'[i % 2]}/{i}.flac,{'ab'[i % 2]}" for i in range(10)]
    (tmp_path / "list.csv").write_text("\n".join(["path,label", *rows]))
    for dataset in ("folder", "csv"):
        code, output, _ = run(dataset, tmp_path, "--full")
        assert code == 0
        assert output.endswith("counts: well\nall is well\n")
    (tmp_path / "a/0.flac").write_bytes(b"no audio")
    (tmp_path / "b/1.flac").unlink()
    (tmp_path / "list.csv").write_text("\n".join(["path,label", *rows, "a/2.flac,b"]))
    assert folder.verify(tmp_path, False, 1).ok
    assert folder.verify(tmp_path, True, 1).changed[0].startswith("a/0.flac: cannot be read")
    report = table.verify(tmp_path, True, 1)
    assert report.missing == ("b/1.flac",)
    assert [text.split(":")[0] for text in report.changed] == ["a/0.flac"]
    assert "rows 4, 12: a/2.flac is a and b" in report.labels
    assert report.text().endswith("mend what is named")


def test_a_folder_against_its_cache(tree, run, tmp_path):
    """By the command that builds it: what changed in silence is named."""
    transform, cache = Waveform(22050), tmp_path / "cache"
    open_cache(tree, transform, cache, 1)
    words = ("synthetic", tree.root, "--cache", cache)
    code, output, _ = run(*words)
    assert code == 0
    assert "files other than in the cache: 0" in output
    file = tree.root / tree.clips[3].path
    stamp, content = file.stat(), bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)
    os.utime(file, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    assert verify(tree.root, False, 1).ok
    code, output, _ = run(*words)
    assert code == 1
    said = "other content of the same size and time than the cache was built from"
    assert f"  {tree.clips[3].path}: {said}\nextra" in output
    assert "the next run then builds the cache anew" in output
    code, _, errors = run("synthetic", tree.root, "--cache", tmp_path / "none")
    assert (code, "none: no feature cache of files in" in errors) == (1, True)


def test_links_to_nothing_are_missing(tree):
    for clip in tree.clips[:2]:
        (tree.root / clip.path).unlink()
        (tree.root / clip.path).symlink_to(tree.root / "gone")
    (tree.root / tree.clips[2].path).unlink()
    assert verify(tree.root, False, 1).missing == tuple(clip.path for clip in tree.clips[:3])
