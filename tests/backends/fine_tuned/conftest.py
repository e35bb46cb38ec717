"""Another program that uses our files."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.backends.fine_tuned.plain_peft import PlainPeft, plain_peft_process


@pytest.fixture(scope="session")
def plain_peft(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PlainPeft]:
    with plain_peft_process(tmp_path_factory.mktemp("elsewhere")) as process:
        yield process
