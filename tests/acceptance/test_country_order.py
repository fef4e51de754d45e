"""The countries' names stand in the order in which their language is sorted, as Node's ICU knows it."""

import json
import subprocess

import pytest

from tests.acceptance.environments import node_tools
from tests.browser.bundle import BUNDLE
from voicegate.adapters.web.texts import languages, texts_for
from voicegate.lab.deadlines import at_most

SORT = """const asked = JSON.parse(require("fs").readFileSync(0));
const order = ([language, names]) => names.sort(new Intl.Collator(language).compare);
console.log(JSON.stringify(Object.entries(asked).map(order)));"""


@pytest.mark.timeout(300)
def test_countries_are_sorted_as_their_language_is() -> None:
    names = {language: list(texts_for((language,)).countries.values()) for language in languages()}
    done = subprocess.run(
        [str(node_tools(BUNDLE).node), "-e", SORT],
        input=json.dumps(names),
        text=True,
        capture_output=True,
        check=True,
        timeout=at_most(60),
    )
    assert json.loads(done.stdout) == list(names.values())
