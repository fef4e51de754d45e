"""Examples are filled in where they say a setting is, and nowhere else."""

import pytest

from voicegate.lab.config_templates import fill_in, fill_in_xml, without_section
from voicegate.lab.errors import LabError

EXAMPLE = """\
# a = "prose, before any section"
[one]
# a = 1     # a default, commented out
b = 2
[two]
b = 2
# [three]
# a = 3
"""

XML = """\
<profile name="one">
  <gateways>
    <gateway name="two">
      <param name="a" value="1"/>
      <!-- <param name="b" value="2"/> -->
    </gateway>
  </gateways>
  <settings>
    <param name="a" value="1"/>
  </settings>
</profile>
<profile id="three">
  <param name="a" value="1"/>
</profile>
"""


def test_a_commented_default_is_set() -> None:
    assert '[one]\na = "x"\nb = 2\n' in fill_in(EXAMPLE, {("one", "a"): '"x"'})


def test_only_the_named_section_changes() -> None:
    filled = fill_in(EXAMPLE, {("two", "b"): "9"})
    assert "[one]\n# a = 1     # a default, commented out\nb = 2\n[two]\nb = 9\n" in filled


def test_a_commented_section_comes_to_life_with_its_first_setting() -> None:
    assert fill_in(EXAMPLE, {("three", "a"): "7"}).endswith("[three]\na = 7\n")


def test_a_section_may_have_a_comment_behind_its_header() -> None:
    example = EXAMPLE + "[five]   # what it is for\n# a = 1\n"
    assert fill_in(example, {("five", "a"): "7"}).endswith("[five]   # what it is for\na = 7\n")


def test_nothing_to_fill_in_changes_nothing() -> None:
    assert fill_in(EXAMPLE, {}) == EXAMPLE


@pytest.mark.parametrize("place", [("one", "c"), ("four", "a")])
def test_a_setting_the_example_lacks_is_refused(place: tuple[str, str]) -> None:
    with pytest.raises(LabError, match=r"no setting"):
        fill_in(EXAMPLE, {place: "1"})


def test_a_section_is_left_out_whole() -> None:
    left = without_section(EXAMPLE, "one")
    assert left == '# a = "prose, before any section"\n[two]\nb = 2\n# [three]\n# a = 3\n'


def test_a_parameter_of_the_named_element_is_set_and_no_other() -> None:
    filled = fill_in_xml(XML, {("two", "a"): 'x "&" y'})
    assert filled == XML.replace('"a" value="1"', """"a" value='x "&amp;" y'""", 1)


def test_a_parameter_belongs_to_the_innermost_element_with_a_name() -> None:
    filled = fill_in_xml(XML, {("one", "a"): "2"})
    assert '</gateways>\n  <settings>\n    <param name="a" value="2"/>' in filled
    assert filled.count('value="1"') == 2


def test_an_element_may_have_an_id_for_a_name() -> None:
    assert fill_in_xml(XML, {("three", "a"): "2"}).endswith('<param name="a" value="2"/>\n</profile>\n')


@pytest.mark.parametrize("place", [("one", "b"), ("two", "b"), ("four", "a")])
def test_a_parameter_the_example_lacks_is_refused(place: tuple[str, str]) -> None:
    with pytest.raises(LabError, match=r"no setting"):
        fill_in_xml(XML, {place: "1"})


def test_elements_need_no_line_each() -> None:
    over_lines = (
        '<profile\n name="one" note="a>b"><param value="1"\n name="a"/><param name="b" value="2"/></profile>'
    )
    assert fill_in_xml(over_lines, {("one", "a"): "ü<"}) == over_lines.replace(
        '<param value="1"\n name="a"/>', '<param name="a" value="ü&lt;"/>'
    )


def test_an_example_that_is_no_xml_is_refused() -> None:
    with pytest.raises(LabError, match="is no XML"):
        fill_in_xml('<profile name="one">', {})
