"""The blocking client is what `make client` writes from the one for asyncio."""

from tests.house.blocking_client import files


def test_the_blocking_client_is_the_one_for_asyncio_without_its_words() -> None:
    stale = [path.name for path, text in files() if path.read_bytes() != text.encode()]
    assert not stale, "run `make client`"
