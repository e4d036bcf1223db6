"""Is this the same command? A stamp of all that what is kept in a folder of `weft fit` depends on."""

import hashlib
import json
from collections.abc import Mapping

from weft.core import config as configs
from weft.core.version import version
from weft.data.stamps import stamp
from weft.fitting.choice import source_of
from weft.fitting.settings import FitSettings
from weft.fitting.table import Table


def stamp_of(table: Table, kinds: Mapping[str, str], settings: FitSettings, *others: object) -> str:
    """32 hex digits that change with the rows, how their columns are read, the settings but for the time, the
    version of weft, and `others`, which JSON can hold.

    kinds: column -> its kind, of those that are read.
    """
    sources = {name: source_of(kind, settings) for name, kind in kinds.items()}
    read = {
        name: [configs.to_json(part) for part in (one.modality, one.encoder) if part is not None]
        for name, one in sources.items()
    }
    chosen = [settings.seed, settings.folds, list(settings.without), list(settings.merge)]
    models = [settings.image_model, settings.text_model]
    rows = stamp(table, range(len(table)))
    of = [version(), rows, read, kinds, chosen, models, *others]
    return hashlib.blake2b(json.dumps(of, sort_keys=True).encode(), digest_size=16).hexdigest()
