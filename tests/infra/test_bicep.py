"""The reader of Bicep: what it works out, and what it refuses by name."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from local.bicep import UNIQUE, UNKNOWN, BicepRefused, deploy, parse
from tests.infra.deployments import INFRA


def outputs(directory: Path, text: str, name: str = "some", **parameters: Any) -> dict[str, Any]:
    """A file's outputs; a file is read once, so another text needs another name."""
    file = directory / f"{name}.bicep"
    file.write_text(text, encoding="utf-8")
    return deploy(file, parameters).outputs


def test_a_literal_is_not_a_name(tmp_path: Path) -> None:
    """'color' in quotes is the word, without them the parameter."""
    text = """
param color string = 'red'
output word string = 'color'
output value string = color
"""
    assert outputs(tmp_path, text) == {"word": "color", "value": "red"}


def test_values_are_worked_out(tmp_path: Path) -> None:
    """Interpolation, members, conditions, loops, functions, parentheses."""
    text = """
param size int = 3
param names array = [
  'a'
  'b'
]
var small = size < 5
var box = {
  inner: {
    label: 'l-${size}'
  }
}
var rows = [
  for (name, index) in names: {
    key: '${name}${index}'
  }
]
output label string = box.inner.label
output which string = small ? 'small' : 'large'
output negated bool = !small
output both bool = small && (size > 2)
output either bool = (size > 9) || small
output next int = size + 1
output rows array = rows
output all array = concat(names, ['c'])
output unique string = toLower(uniqueString('x'))
output nothing bool = empty('')
output parts array = split('a,b', ',')
"""
    assert outputs(tmp_path, text) == {
        "label": "l-3",
        "which": "small",
        "negated": False,
        "both": True,
        "either": True,
        "next": 4,
        "rows": [{"key": "a0"}, {"key": "b1"}],
        "all": ["a", "b", "c"],
        "unique": UNIQUE,
        "nothing": True,
        "parts": ["a", "b"],
    }


def test_what_only_azure_knows_stays_unknown(tmp_path: Path) -> None:
    """An endpoint is, and whatever is made of it; an id and a name are not."""
    text = """
resource topic 'Microsoft.EventGrid/topics@2025-02-15' = {
  name: 'orders'
  location: 'here'
}
output endpoint string = topic.properties.endpoint
output url string = '${topic.properties.endpoint}/more'
output name string = topic.name
"""
    found = outputs(tmp_path, text)
    assert (found["endpoint"], found["url"], found["name"]) == (UNKNOWN, UNKNOWN, "orders")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("param size int\noutput next int = size\n", "size is not given"),
        ("output next string = other\n", "nothing is called other"),
        ("param kind string = 'a'\noutput next string = kind == 'a' ? 'x' : 'y'\n", "parentheses"),
        ("var box = {\n  a: 1\n}\noutput next int = box.b\n", "box has no b"),
        ("output next int = 2 * 3\n", "multiply is not read"),
        ("output next int = 'three'\n", "the output next wants int, not 'three'"),
        ("param size int = '3'\n", "the parameter size wants int"),
        ("param yes int = true\n", "the parameter yes wants int"),
        ("@allowed([\n  'a'\n])\nparam size string = 'b'\n", r"allows \['a'\], not 'b'"),
        ("@minValue(2)\nparam size int = 1\n", "is at least 2"),
        ("@maxValue(2)\nparam size int = 3\n", "is at most 2"),
        ("@minLength(2)\nparam size string = 'a'\n", "has at least 2"),
        ("@maxLength(2)\nparam size string = 'abc'\n", "has at most 2"),
        ("param size thing = 1\n", "the type thing is not read"),
        ("resource topic 'Microsoft.EventGrid/topics@2025-02-15' = {\n", "pycep cannot read it"),
    ],
)
def test_what_it_does_not_understand_is_refused(tmp_path: Path, text: str, says: str) -> None:
    """With the file and the reason; pycep's wrong precedence is not believed."""
    with pytest.raises(BicepRefused, match=says):
        outputs(tmp_path, text)


def test_a_parameter_that_is_not_declared_is_refused(tmp_path: Path) -> None:
    """A misspelt parameter of a module is what only the compiler would find otherwise."""
    with pytest.raises(BicepRefused, match="no parameter colour"):
        outputs(tmp_path, "param color string = 'red'\n", colour="blue")


def test_an_output_that_a_module_has_not_is_refused(tmp_path: Path) -> None:
    """Its outputs are known, so a misspelt one is found; those of a module that is not deployed are unknown."""
    (tmp_path / "inner.bicep").write_text("output size int = 3\n", encoding="utf-8")
    module = """
param wanted bool = true
module inner 'inner.bicep' = if (wanted) {
  name: 'inner'
}
"""
    right, wrong = module + "output size int = inner.outputs.size\n", module + "output size int = inner.outputs.sise\n"
    assert outputs(tmp_path, right, "right") == {"size": 3}
    assert outputs(tmp_path, wrong, "wrong", wanted=False) == {"size": UNKNOWN}
    with pytest.raises(BicepRefused, match="module inner has no sise"):
        outputs(tmp_path, wrong, "wrong")


@pytest.mark.parametrize("file", sorted(INFRA.glob("*.bicep")), ids=lambda file: file.name)
def test_nothing_is_declared_for_nobody(file: Path) -> None:
    """Each parameter, variable, resource and module is used, as the compiler's linter demands of it."""
    tree, code = parse(file), re.sub(r"//[^\n]*|@description\('[^']*'\)", "", file.read_text(encoding="utf-8"))
    declared = [*tree.get("parameters", {}), *tree.get("variables", {})]
    declared += [name for name, each in tree.get("resources", {}).items() if each["existing"]]
    unused = [name for name in declared if len(re.findall(rf"\b{name}\b", code)) < 2]
    assert not unused
