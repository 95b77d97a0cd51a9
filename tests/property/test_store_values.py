from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.testing import assert_array_equal

from hil.store import RunDatabase, RunStart, RunWriter, from_json, to_json
from hil.store.values import float_array, sql_floats, sql_text
from hil.types import BoardInfo, Device, Dopant, FloatArray, Source

any_float = st.floats(width=64)
any_json: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | any_float | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
one_write = settings(
    max_examples=30,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


def same(a: Any, b: Any) -> bool:
    if isinstance(a, float) and isinstance(b, float):
        return a == b or (a != a and b != b)
    if isinstance(a, dict):
        return isinstance(b, dict) and a.keys() == b.keys() and all(same(a[k], b[k]) for k in a)
    if isinstance(a, list):
        return isinstance(b, list) and len(a) == len(b) and all(map(same, a, b))
    return type(a) is type(b) and bool(a == b)


@given(any_json)
def test_json_survives(value: Any) -> None:
    assert same(from_json(to_json(value)), value)


@given(any_json)
def test_stored_json_is_json_for_sqlite_too(value: Any) -> None:
    with closing(sqlite3.connect(":memory:")) as connection:
        assert connection.execute("SELECT json_valid(?)", [to_json(value)]).fetchone() == (1,)


@given(hnp.arrays(np.float64, st.integers(0, 20), elements=any_float))
def test_floats_survive_a_real_column(values: FloatArray) -> None:
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.execute("CREATE TABLE t (n INTEGER PRIMARY KEY, x REAL)")
        connection.executemany("INSERT INTO t (x) VALUES (?)", [(v,) for v in sql_floats(values)])
        back = [x for (x,) in connection.execute("SELECT x FROM t ORDER BY n")]
    assert None not in back
    assert_array_equal(float_array(back), values)


@given(st.text(alphabet=st.characters(exclude_categories=())))
def test_any_text_can_be_stored(text: str) -> None:
    with closing(sqlite3.connect(":memory:")) as connection:
        assert connection.execute("SELECT ?", [sql_text(text)]).fetchone() == (sql_text(text),)


@pytest.fixture(scope="module")
def database_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("store") / "a.db"


@one_write
@given(
    snapshot=hnp.arrays(
        np.float64, hnp.array_shapes(min_dims=2, max_dims=2, max_side=5), elements=any_float
    ),
    metrics=st.lists(any_float, max_size=5),
    records=st.lists(st.dictionaries(st.text(min_size=1), any_float, max_size=3), max_size=3),
)
def test_a_run_gives_back_what_it_was_given(
    database_path: Path,
    snapshot: FloatArray,
    metrics: list[float],
    records: list[dict[str, float]],
) -> None:
    device = Device("W0", Dopant.W, "U1.1", 0, 10e3)
    info = BoardInfo(
        "s", "twin", Source.TWIN, "", {}, (1, 1), (device,), frozenset(), 1e-6, 75.0, 0.01
    )
    writer = RunWriter.begin(database_path, RunStart("p", {}, "s", "", info, None, {}))
    writer.snapshot("g", snapshot)
    for k, value in enumerate(metrics):
        writer.metric("m", value, step=k)
    for record in records:
        writer.record(record)
    writer.finish("finished")
    with RunDatabase(database_path) as database:
        (back,) = database.snapshots(writer.run_id)
        stored = database.arrays(writer.run_id, "metrics")
        texts = database.arrays(writer.run_id, "records")["data"]
    assert_array_equal(back.g_siemens, snapshot)
    assert_array_equal(stored["value"], np.array(metrics, dtype=float))
    assert_array_equal(stored["step"], np.arange(len(metrics)))
    assert all(same(from_json(t), r) for t, r in zip(texts, records, strict=True))
