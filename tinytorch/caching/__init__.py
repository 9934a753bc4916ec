"""Kata 16: what was computed once is kept. Given: the names that the files beside this one define."""

from tinytorch.caching.batch import (
    Batch as Batch,
    Request as Request,
    check_request as check_request,
    generate_all as generate_all,
)
from tinytorch.caching.cache import KVCache as KVCache
from tinytorch.caching.decoding import (
    attended as attended,
    can_decode as can_decode,
    decode as decode,
    gelu_tanh as gelu_tanh,
    normalized as normalized,
    projected as projected,
)
from tinytorch.caching.pages import (
    PagedCache as PagedCache,
    PagePool as PagePool,
)
from tinytorch.caching.prefix import (
    PrefixCache as PrefixCache,
    common_prefix as common_prefix,
)
from tinytorch.caching.sampling import (
    keep_rows as keep_rows,
    sample_rows as sample_rows,
)
