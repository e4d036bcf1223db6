import pickle

from weft.core.recent import RecentBytes


def test_the_least_recently_used_go_first() -> None:
    kept: RecentBytes[str] = RecentBytes(100)
    for key in "abc":
        kept.put(key, key.upper(), 40)
        kept.get("a")
    assert [kept.get(key) for key in "abc"] == ["A", None, "C"]
    assert kept.total == 80
    kept.put("a", "other", 10)
    assert (kept.get("a"), kept.total) == ("other", 50)


def test_what_is_too_large_is_not_kept() -> None:
    kept: RecentBytes[str] = RecentBytes(100)
    kept.put("a", "A", 101)
    assert kept.get("a") is None
    assert kept.total == 0
    assert pickle.loads(pickle.dumps(kept)).total == 0
