"""peft, without a warning that is not for the user."""

from __future__ import annotations

import warnings
from types import ModuleType


def peft_library() -> ModuleType:
    """The module `peft`. Version 0.21 asks transformers by a name that goes in v6, and a warning about it is printed.

    Only that one is left out; peft and transformers have to agree on the name, whoever trains can not.
    """
    import peft

    warnings.filterwarnings("ignore", message="`is_gradient_checkpointing` is deprecated", category=FutureWarning)
    return peft
