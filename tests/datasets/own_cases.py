"""Lists of clips that tests of own recordings share."""

from fewshot_audio.datasets.table import from_table


def touch(root, *paths):
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).touch()


def write_table(root, lines, name="metadata.csv", encoding="utf-8", newline="\n"):
    """Write a table, and an empty file for each of its rows that has a path."""
    (root / name).write_bytes((newline.join(lines) + newline).encode(encoding))
    return root / name


def pets(root, n=4, header="path,label,split", cells="{path},{label},{split}"):
    """A table of n cats and n dogs, half of which test."""
    lines = [header]
    for label in ("cat", "dog"):
        for i in range(n):
            path, split = f"{label}{i}.wav", "test" if i % 2 else "train"
            touch(root, path)
            lines.append(cells.format(path=path, label=label, split=split, i=i))
    return lines


def read(root, lines, **settings):
    write_table(root, lines)
    return from_table("pets", root, **settings)


def paths(clips):
    return [clip.path for clip in clips]
