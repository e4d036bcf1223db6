"""A stamp of everything on which the candidates in a folder of `weft fit` depend. If it is equal, they are reused."""

import hashlib
import json
from collections.abc import Mapping

from weft.core import config as configs
from weft.core.version import release
from weft.data.stamps import stamp
from weft.fitting.choice import source_of
from weft.fitting.settings import FitSettings
from weft.fitting.table import Table


def stamp_of(table: Table, kinds: Mapping[str, str], settings: FitSettings, *others: object) -> str:
    """32 hex digits that change with the rows, the reading of their columns, the settings except the time, the
    installed version of weft, and `others`, which are JSON values.

    kinds: column -> its kind, for the columns that are read.
    """
    sources = {name: source_of(kind, settings) for name, kind in kinds.items()}
    read = {
        name: [configs.to_json(part) for part in (one.modality, one.encoder) if part is not None]
        for name, one in sources.items()
    }
    chosen = [settings.seed, settings.folds, list(settings.without), list(settings.merge)]
    models = [settings.image_model, settings.text_model]
    rows = stamp(table, range(len(table)))
    of = [release(), rows, read, kinds, chosen, models, *others]
    return hashlib.blake2b(json.dumps(of, sort_keys=True).encode(), digest_size=16).hexdigest()
