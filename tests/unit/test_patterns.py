"""Patterns that a user draws in a text file."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hil.errors import ParameterError
from procedures.learning.patterns import load_patterns
from procedures.learning.tasks import make_task

GOOD = """\
; two crosses against a ring
[cross]
#.#
.X.
1.1

.#.
###
.#0

[a ring]
; not quite round
###
#.#
###
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "patterns.txt"


def test_patterns_by_hand(file: Path) -> None:
    file.write_text(GOOD, encoding="utf-8")
    task = make_task("drawn", patterns_file=str(file))
    assert task.name == "drawn cross/a ring"
    assert task.labels.tolist() == [0, 0, 1]
    assert task.images.tolist() == [
        [1, 0, 1, 0, 1, 0, 1, 0, 1],
        [0, 1, 0, 1, 1, 1, 0, 1, 0],
        [1, 1, 1, 1, 0, 1, 1, 1, 1],
    ]
    assert task.test_images is task.images


@pytest.mark.parametrize("change", ["\r\n", "\n ", " \n", "\t\n", "\ufeff"])
def test_line_ends_blanks_and_a_byte_order_mark_do_not_matter(file: Path, change: str) -> None:
    text = change + GOOD if change == "\ufeff" else GOOD.replace("\n", change)
    file.write_bytes(text.encode("utf-8"))
    assert load_patterns(file).labels.tolist() == [0, 0, 1]


def test_an_empty_line_is_needed_only_between_patterns(file: Path) -> None:
    file.write_text("[a]\n\n\n111\n000\n;\n111\n[b]\n000\n000\n001", encoding="utf-8")
    assert load_patterns(file).images[:, [0, 4, 8]].tolist() == [[1, 0, 1], [0, 0, 1]]


@pytest.mark.parametrize(
    ("old", "new", "line", "complaint"),
    [
        ("[cross]\n", "", 2, "before any heading"),
        ("[a ring]\n", "", 14, "ends after 1 of 2 headings"),
        ("[cross]", "[]", 2, "is no heading"),
        ("[cross]", "[cross", 2, "is no heading"),
        ("[a ring]", "[cross]", 11, "its own name"),
        ("[cross]", "[a]\n[cross]", 2, "no pattern under [a]"),
        ("#.#\n.X.", "#.#\n.o.", 4, "'.o.' is no row; write 3 of #X1 (lit) and .0 (dark)"),
        (".X.", ".X..", 4, "is no row"),
        (".X.", ".X", 4, "is no row"),
        (".X.", "x" * 99, 4, "'xxxxxxxxxxxxxxxxxxxx...' is no row"),
        (".X.\n", "", 3, "a pattern of 2 rows"),
        ("1.1\n\n", "1.1\n", 6, "row 4 of a pattern"),
        ("###\n#.#\n###\n", "", 11, "no pattern under [a ring]"),
        ("###\n#.#\n###\n", "###\n#.#\n###\n[c]\n", 16, "a third heading"),
        ("###\n#.#\n###\n", "#.#\n.#.\n#.#", 13, "the same pattern as in line 3"),
    ],
)
def test_what_is_wrong_is_said_with_its_line(
    file: Path, old: str, new: str, line: int, complaint: str
) -> None:
    assert old in GOOD
    file.write_text(GOOD.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(ParameterError) as caught:
        load_patterns(file)
    said = str(caught.value)
    assert said.startswith(f"{file}, line {line}: "), said
    assert complaint in said
    assert "\n" not in said


def test_an_empty_file_has_no_heading(file: Path) -> None:
    file.touch()
    with pytest.raises(ParameterError, match="ends after 0 of 2 headings"):
        load_patterns(file)


def test_a_missing_file(file: Path) -> None:
    with pytest.raises(ParameterError, match=r"patterns\.txt: cannot be read: No such file"):
        load_patterns(file)


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match=r"cannot be read: Is a directory"):
        load_patterns(tmp_path)


def test_other_encodings_are_refused_with_their_line(file: Path) -> None:
    file.write_bytes(GOOD.replace("[a ring]", "[Ring ä]").encode("latin-1"))
    with pytest.raises(ParameterError, match=r"line 11: this is no UTF-8 text"):
        load_patterns(file)


PATTERN = st.tuples(*[st.booleans()] * 9)
CLASSES = st.lists(PATTERN, min_size=2, max_size=12, unique=True).flatmap(
    lambda patterns: st.tuples(st.just(patterns), st.integers(1, len(patterns) - 1))
)


@given(CLASSES, st.sampled_from("#X1"), st.sampled_from(".0"))
def test_what_was_drawn_is_what_is_read(
    drawn: tuple[list[tuple[bool, ...]], int], lit: str, dark: str
) -> None:
    patterns, n_first = drawn
    blocks = [
        "\n".join("".join(lit if p else dark for p in pattern[k : k + 3]) for k in (0, 3, 6))
        for pattern in patterns
    ]
    first, second = "\n\n".join(blocks[:n_first]), "\n\n".join(blocks[n_first:])
    handle, name = tempfile.mkstemp(suffix=".txt")
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(f"[one]\n{first}\n\n[two]\n{second}\n")
    try:
        task = load_patterns(name)
    finally:
        os.unlink(name)
    assert np.array_equal(task.images, np.array(patterns, float))
    assert task.labels.tolist() == [0] * n_first + [1] * (len(patterns) - n_first)
