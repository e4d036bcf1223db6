"""Tokenizers of pretrained models, read from tokenizer.json or built by transformers from a vocabulary."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, processors

from weft.core.documents import read_mapping
from weft.core.errors import WeftError
from weft.core.files import read_file
from weft.hub import fetched, is_open_clip, loading, quiet, read_open_clip, refuse_code
from weft.modalities.tokenization import Tokens, ids_of, parts_of_words

TOKENIZER_SETTINGS = "tokenizer_config.json"
# Text cleaning that tokenizers of these classes do in Python code, before their tokenizer.json.
_PREPARED: dict[str, tuple[normalizers.Normalizer, ...]] = {
    "SiglipTokenizer": (
        normalizers.Lowercase(),
        normalizers.Replace(Regex(r"[!-/:-@\[-`{-~]"), ""),
        normalizers.Replace(Regex(r"\s+"), " "),
        normalizers.Strip(),
    ),
    "Siglip2Tokenizer": (normalizers.Lowercase(),),
}
# Hugging Face's names of the roles; of two the first that exists is used.
_ROLE_NAMES = {
    "pad": ("pad_token",),
    "unk": ("unk_token",),
    "cls": ("cls_token", "bos_token"),
    "sep": ("sep_token", "eos_token"),
    "mask": ("mask_token",),
}


def load_pretrained(name: str) -> Tokens:
    """Loads the tokenizer of a local folder, an installed package or the hub (see `locate`)."""
    folder = fetched(name, weights=False)
    refuse_code(folder / TOKENIZER_SETTINGS)
    if not (folder / "tokenizer.json").is_file():
        return _by_transformers(name, folder)
    settings = _settings(folder)
    try:
        tokenizer = Tokenizer.from_str(read_file(folder / "tokenizer.json").decode())
    except Exception as error:  # the parser of tokenizers raises a bare Exception
        raise WeftError(f"{folder / 'tokenizer.json'}: is not a tokenizer: {error}") from None
    prepare = _PREPARED.get(str(settings.get("tokenizer_class")).removesuffix("Fast"), ())
    if is_open_clip(folder):
        prepare = _cleaning(folder)
    _normalise_first(tokenizer, prepare)
    _put_ends(tokenizer, settings)
    return _whole(Tokens(tokenizer, _special_tokens(settings, tokenizer)))


def _cleaning(folder: Path) -> tuple[normalizers.Normalizer, ...]:
    """Returns open_clip's text cleaning before its tokenizer; both strip blanks."""
    asked = read_open_clip(folder).get("text_cfg", {}).get("tokenizer_kwargs") or {}
    clean = asked.get("clean", "whitespace")
    if clean == "canonicalize":
        return normalizers.Replace("_", " "), *_PREPARED["SiglipTokenizer"]
    return (normalizers.Lowercase(),) if clean == "lower" else ()


def _by_transformers(name: str, folder: Path) -> Tokens:
    """Returns the tokenizer that transformers builds from a vocabulary, for a folder without tokenizer.json."""
    refuse_code(folder / "config.json")
    if is_open_clip(folder):
        raise WeftError(f"{folder}: has no tokenizer.json, expected the tokenizer beside the model")
    with loading(name), quiet():
        from transformers import AutoTokenizer

        loaded = AutoTokenizer.from_pretrained(str(folder), trust_remote_code=False)
        if not loaded.is_fast:
            raise WeftError(f"the tokenizer of '{name}' has no tokenizer.json (fast) form")
        tokenizer = Tokenizer.from_str(loaded.backend_tokenizer.to_str())
    return _whole(Tokens(tokenizer, _special_tokens(loaded.special_tokens_map, tokenizer)))


def _whole(tokens: Tokens) -> Tokens:
    """Returns the same tokenizer, but splits long words that it would treat as unknown."""
    tokenizer = tokens.tokenizer
    if isinstance(tokenizer.model, models.WordPiece) and tokenizer.pre_tokenizer is not None:
        parts = parts_of_words(tokenizer.model.max_input_chars_per_word)
        tokenizer.pre_tokenizer = pre_tokenizers.Sequence([tokenizer.pre_tokenizer, parts])
    return tokens


def _put_ends(tokenizer: Tokenizer, settings: Mapping[str, Any]) -> None:
    """Adds the start and end tokens that tokenizer_config.json requests: older files like Gemma's, such as SigLIP
    2's, do not define them in tokenizer.json."""
    wanted = {end: settings.get(f"add_{end}_token") for end in ("bos", "eos")}
    if all(asked is None for asked in wanted.values()):
        return
    ends = {end: _content(settings.get(f"{end}_token")) for end, asked in wanted.items() if asked}
    ids = ids_of({end: token for end, token in ends.items() if token is not None}, tokenizer)
    parts = [ends.get(end) if end in ids else None for end in ("bos", "eos")]
    template = " ".join(part for part in (parts[0], "$A", parts[1]) if part is not None)
    tokenizer.post_processor = processors.TemplateProcessing(
        single=template, special_tokens=[(str(ends[end]), token) for end, token in ids.items()]
    )


def _content(token: Any) -> str | None:
    """Returns a token's text; some files store it in an object."""
    found = token.get("content") if isinstance(token, dict) else token
    return None if found is None else str(found)


def _normalise_first(tokenizer: Tokenizer, steps: Sequence[normalizers.Normalizer]) -> None:
    own = [tokenizer.normalizer] if tokenizer.normalizer is not None else []
    if steps:
        tokenizer.normalizer = normalizers.Sequence([*steps, *own])


def _settings(folder: Path) -> dict[str, Any]:
    settings: dict[str, Any] = {}
    for name in (TOKENIZER_SETTINGS, "special_tokens_map.json"):
        if (folder / name).is_file():
            settings |= read_mapping(folder / name)
    return settings


def _special_tokens(settings: Mapping[str, Any], tokenizer: Tokenizer) -> dict[str, int]:
    tokens: dict[str, str] = {}
    for role, names in _ROLE_NAMES.items():
        for name in names:
            token = _content(settings.get(name))
            if token is not None:
                tokens.setdefault(role, token)
    return ids_of(tokens, tokenizer)
