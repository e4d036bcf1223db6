"""Nothing that a command reads is replaced by what it writes."""

from pathlib import Path

import pytest
from tiny_runs import refused, unchanged

from weft.commands._outputs import check_kept, files_of
from weft.core.errors import WeftError
from weft.data.sources import FilesConfig
from weft.recipes import recipe


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "mine.csv"
    path.write_text("text,label\none,a\ntwo,b\n")
    return path


def test_the_table_that_is_predicted_is_not_replaced(
    table: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(table.parent)
    Path("link.csv").symlink_to(table)
    Path("same.csv").hardlink_to(table)
    with unchanged(table.parent):
        for out in ("mine.csv", "./mine.csv", f"../{table.parent.name}/mine.csv", "link.csv"):
            assert "is read by this command" in refused("predict", "RUN", table, "--out", out)
        assert "is read by" in refused("predict", "RUN", "mine.csv", "--out", "same.csv")
        assert "is read by" in refused("predict", "RUN", "link.csv", "--out", table)
        assert "is read by" in refused("predict", "RUN", ".", "--out", table)


@pytest.mark.parametrize(
    "words",
    [
        ["evaluate", "RUN", "--data", "mine.csv", "--json", "mine.csv"],
        ["report", "RUN", "--data", "mine.csv", "--out", "mine.csv"],
        ["explain", "RUN", "--data", "mine.csv", "--out", "mine.csv"],
        ["explain", "RUN", "--image", "mine.csv", "--out", "mine.csv"],
        ["generate", "RUN", "--input", "image=mine.csv", "--out", "mine.csv"],
        ["data", "check", "card.json", "--out", "."],
        ["fit", "leaderboard.json", "--target", "label", "--out", "."],
    ],
)
def test_other_commands_do_not_replace_their_rows(
    table: Path, words: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(table.parent)
    for name in ("card.json", "index.json", "leaderboard.json"):
        Path(name).write_text('[{"text": "one", "label": "a"}]\n')
    with unchanged(table.parent):
        assert "is read by this command and would be replaced" in refused(*words)


def test_the_rows_of_the_recipe_are_not_replaced(table: Path) -> None:
    base = recipe("scenes")
    assert files_of(base) == []
    own = base.replace(data=base.data.replace(source=FilesConfig(table)))
    with pytest.raises(WeftError, match="would be replaced"):
        check_kept(table, files_of(own))
    check_kept(table.with_name("other.csv"), files_of(own))


def test_a_page_in_a_folder_of_rows_may_be_written_again(table: Path) -> None:
    page = table.with_name("report.html")
    page.write_text("")
    check_kept(page, [table.parent])


def test_predictions_are_csv_and_called_so(table: Path) -> None:
    said = refused("predict", "RUN", table, "--out", "out.xlsx")
    assert said == "--out is out.xlsx, expected a name that ends with .csv: what is written is CSV"
