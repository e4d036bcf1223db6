"""Damage is named by a search, listed by verify, and repaired by building again."""

import sqlite3
from contextlib import closing

import pytest
from made_index import create, entry, numbered, vector

from weft.core.errors import WeftError
from weft.index import Index


def sql(folder, *statements):
    with closing(sqlite3.connect(folder / "index.db")) as connection, connection:
        for statement in statements:
            connection.execute(statement)


DAMAGE = [
    (lambda f: (f / "index.db").unlink(), "holds no index; build it again with: weft index build"),
    (lambda f: (f / "index.db").write_bytes(b""), "holds no index"),
    (
        lambda f: (f / "index.db").write_bytes(b"no database " * 1000),
        "is damaged: file is not a database",
    ),
    (
        lambda f: sql(f, "UPDATE about SET value = 99 WHERE name = 'format'"),
        "has format '99', expected '1'",
    ),
    (lambda f: sql(f, "DELETE FROM about WHERE name = 'dim'"), "does not say what it holds"),
    (lambda f: sql(f, "DROP TABLE about"), "is damaged or no index"),
    (
        lambda f: sql(f, "UPDATE about SET value = 'text' WHERE name = 'stream'"),
        "does not say what",
    ),
    (lambda f: sql(f, "UPDATE entries SET id = 'x' WHERE number = 1"), "row 1 is not as it was"),
    (
        lambda f: sql(f, "UPDATE cells SET value = 'grey' WHERE number = 1 AND column = 1"),
        "row 1 is not as it was",
    ),
    (lambda f: sql(f, "DROP TABLE vectors"), "is damaged or no index"),
    (
        lambda f: sql(f, "UPDATE vectors SET vector = zeroblob(32) WHERE number = 7"),
        "is damaged: row 7 is not as it was written",
    ),
    (
        lambda f: sql(f, "UPDATE vectors SET vector = x'00' WHERE number = 7"),
        "is damaged: row 7 is not as it was written",
    ),
    (lambda f: (f / "index.db").write_bytes((f / "index.db").read_bytes()[:20_000]), "is damaged"),
]


@pytest.mark.parametrize(("damage", "message"), DAMAGE, ids=[message for _, message in DAMAGE])
def test_damage_is_named_and_building_again_repairs_it(index, damage, message):
    index.close()
    damage(index.folder)
    with pytest.raises(WeftError, match=message):
        Index.open(index.folder).search(vector(0)[None], 1)
    with create(index.folder, numbered(3)) as again:
        assert len(again) == 3


def test_a_whole_index_is_verified(index):
    index.remove(["id1"])
    index.add([entry("id2"), entry("more", item="id2")])
    found = index.verify()
    assert found.whole
    assert (found.entries, found.items) == (60, 59)
    assert str(found) == "60 entries, 59 items\n0 lost, 0 without an entry, 0 damaged"


@pytest.mark.parametrize(
    ("statement", "lost", "ghosts", "damaged"),
    [
        ("DELETE FROM vectors WHERE number = 3", ("id2",), (), ()),
        ("DELETE FROM entries WHERE number = 3", (), (3,), ()),
        ("INSERT INTO cells VALUES (99, 1, 'red')", (), (99,), ()),
        ("UPDATE vectors SET vector = zeroblob(32) WHERE number = 3", (), (), ("id2",)),
        ("UPDATE entries SET text = 'other' WHERE number = 3", (), (), ("id2",)),
        ("UPDATE previews SET data = x'00' WHERE number = 3", (), (), ("id2",)),
        ("DELETE FROM cells WHERE number = 3 AND column = 1", (), (), ("id2",)),
    ],
)
def test_what_verify_finds(index, statement, lost, ghosts, damaged):
    index.close()
    sql(index.folder, statement)
    found = Index.open(index.folder).verify()
    assert not found.whole
    assert (found.lost, found.ghosts, found.damaged) == (lost, ghosts, damaged)


def test_a_lost_vector_is_noticed_by_a_search(index):
    index.close()
    sql(index.folder, "DELETE FROM vectors WHERE number = 3")
    with pytest.raises(WeftError, match="is damaged: has 59 entries, expected 60"):
        Index.open(index.folder).search(vector(0)[None], 1)
