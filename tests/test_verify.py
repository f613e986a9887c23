"""Verification against manifests."""

import hashlib
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import soundfile

from fewshot_audio.datasets import tut2017 as tut_asc
from fewshot_audio.datasets.synthetic import synthetic
from fewshot_audio.datasets.verify import verify_synthetic, verify_tut_asc, verify_us8k

ROOT = Path(__file__).parents[1]


@pytest.fixture
def tree(synthetic_root, tmp_path):
    shutil.copytree(synthetic_root, tmp_path / "data")
    return synthetic("synthetic", tmp_path / "data", "us8k", 3, 2, "next", ())


@pytest.mark.parametrize("full", [False, True])
def test_an_untouched_tree_is_well(tree, full):
    report = verify_synthetic(tree.root, full, 2)
    assert report.ok
    assert report.expected == len(tree.clips)
    assert report.text().endswith("all is well")


def test_missing_changed_and_extra_files_are_told_apart_and_nothing_is_written(tree):
    paths = [clip.path for clip in tree.clips]
    (tree.root / paths[0]).unlink()
    (tree.root / paths[1]).write_bytes(b"short")
    content = bytearray((tree.root / paths[2]).read_bytes())
    content[-1] ^= 1
    (tree.root / paths[2]).write_bytes(content)
    (tree.root / "audio/fold1/more.wav").touch()
    (tree.root / "audio/fold1/.hidden").touch()
    before = {path: path.stat().st_mtime_ns for path in tree.root.rglob("*")}
    quick, full = (verify_synthetic(tree.root, full, 1) for full in (False, True))
    assert quick.missing == full.missing == (paths[0],)
    assert quick.extra == full.extra == ("audio/fold1/more.wav",)
    assert [text.split(":")[0] for text in quick.changed] == [paths[1]]
    assert quick.changed[0].endswith(": 5 bytes, not " + manifest_size(tree.root, paths[1]))
    assert full.changed == (*quick.changed, f"{paths[2]}: other content of the same size")
    assert not quick.ok
    assert {path: path.stat().st_mtime_ns for path in tree.root.rglob("*")} == before


def manifest_size(root, path):
    rows = dict(line.split("\t")[:2] for line in (root / "manifest.tsv").read_text().splitlines())
    return rows[path]


def test_tut_is_checked_by_list_format_and_archive(tmp_path):
    """All 6,300 names, three of them with audio: as published, mono, and too short."""
    for part in tut_asc.PARTS:
        folder = tmp_path / tut_asc.folder(part)
        (folder / "audio").mkdir(parents=True)
        rows = tut_asc.official_rows(part)
        (folder / "meta.txt").write_text("".join("\t".join(row) + "\n" for row in rows))
        for path, _, _ in rows:
            (folder / path).touch()
    names = [path for path, _, _ in tut_asc.official_rows("development")]
    audio = tmp_path / tut_asc.folder("development")
    for name, channels, frames in zip(names, (2, 1, 2), (441000, 441000, 441), strict=False):
        soundfile.write(audio / name, [[0.0] * channels] * frames, 44100, subtype="PCM_24")
    (audio / names[3]).unlink()
    (tmp_path / "TUT-acoustic-scenes-2017-evaluation.meta.zip").write_bytes(b"not the archive")
    quick = verify_tut_asc(tmp_path, False, 2)
    assert quick.missing == (f"{audio.name}/{names[3]}",)
    assert quick.changed == ()
    assert quick.labels == ""
    full = verify_tut_asc(tmp_path, True, 2)
    assert (
        len(full.changed) == 6300 - 1 - 1 + 1
    )  # all but the good one and the missing one, and the archive
    wrong = {text.split(": ")[0]: text for text in full.changed}
    assert f"{audio.name}/{names[0]}" not in wrong
    assert (
        "(44100, 1, 'PCM_24', 441000), not (44100, 2, 'PCM_24', 441000)"
        in wrong[f"{audio.name}/{names[1]}"]
    )
    assert "(44100, 2, 'PCM_24', 441), not" in wrong[f"{audio.name}/{names[2]}"]
    assert "cannot be read" in wrong[f"{audio.name}/{names[4]}"]
    assert "TUT-acoustic-scenes-2017-evaluation.meta.zip: not the published archive" in full.changed
    assert "archives checked: 1 of 19" in full.notes


@pytest.mark.real
def test_official_originals_have_their_published_hashes(shared):
    digests = [
        hashlib.sha256(path.read_bytes()).hexdigest()
        for path in (shared / "us8k_originals").glob("*.wav")
    ]
    manifest = (ROOT / "src/fewshot_audio/datasets/manifests/us8k.tsv").read_text()
    assert len(digests) == 10
    assert all(digest in manifest for digest in digests)


@pytest.mark.real
def test_originals_in_the_official_layout_are_found_whole(shared, tmp_path):
    folds = {"100032-3-0-0.wav": 5}
    (tmp_path / "metadata").mkdir()
    shutil.copy(shared / "us8k/metadata/UrbanSound8K.csv", tmp_path / "metadata")
    for name, fold in folds.items():
        (tmp_path / f"audio/fold{fold}").mkdir(parents=True)
        shutil.copy(shared / "us8k_originals" / name, tmp_path / f"audio/fold{fold}")
    report = verify_us8k(tmp_path, True, 2)
    assert (len(report.missing), report.changed, report.extra, report.labels) == (8731, (), (), "")


def run(*arguments):
    command = [sys.executable, ROOT / "scripts/verify.py", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_the_command_prints_text_or_json_and_its_exit_code_says_all(tree):
    good = run("synthetic", tree.root, "--full", "--json")
    assert good.returncode == 0
    assert json.loads(good.stdout)["ok"] is True
    (tree.root / tree.clips[0].history).unlink()
    bad = run("synthetic", tree.root)
    assert bad.returncode == 1
    assert f"missing: 1\n  {tree.clips[0].history}\n" in bad.stdout
    none = run("us8k", tree.root / "nowhere")
    assert none.returncode == 1
    assert none.stderr.startswith("error: dataset.root=")
    assert "Traceback" not in none.stderr
