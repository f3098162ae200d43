"""Partition keys and where they hash to, physical partitions, and how clients learn of them."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from azure.cosmos import ContainerProxy, DatabaseProxy, PartitionKey, exceptions
from azure.cosmos.partition_key import NonePartitionKeyValue, NullPartitionKeyValue
from azure.cosmos.partition_key import PartitionKey as SdkPartitionKey
from hypothesis import given
from hypothesis import strategies as st

from emulators.cosmos.partitioning import UNDEFINED, Component, Definition, epk_hex, parse_header
from tests.emulators.cosmos.http import Door

PARTITIONING = "learn.microsoft.com/azure/cosmos-db/partitioning-overview"

scalars = st.none() | st.booleans() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=150)


def by_sdk(kind: SdkPartitionKey, values: list[Any]) -> str:
    return str(kind._get_effective_partition_key_string(values)).upper()


@pytest.mark.read_in_sdk("azure-cosmos partition_key.py")
@given(st.lists(scalars | st.just(UNDEFINED), min_size=1, max_size=3))
def test_keys_hash_where_the_sdk_expects_them(values: list[Component]) -> None:
    """Version 2 and hierarchical keys, undefined components included, agree with the SDK's own hash."""
    told = [NonePartitionKeyValue if value is UNDEFINED else value for value in values]
    single = Definition((("a",),))
    assert epk_hex(single.epk((values[0],))) == by_sdk(SdkPartitionKey("/a"), told[:1])
    paths = [f"/p{index}" for index in range(len(values))]
    several = Definition(tuple((path[1:],) for path in paths), hierarchical=True)
    assert epk_hex(several.epk(tuple(values))) == by_sdk(SdkPartitionKey(paths, kind="MultiHash"), told)


@pytest.mark.read_in_sdk("azure-cosmos partition_key.py (but for null, which Java and .NET write)")
@given(st.booleans() | st.floats(min_value=0, max_value=1e300) | st.text(max_size=150) | st.just(UNDEFINED))
def test_version_1_keys_hash_where_the_sdk_expects_them(value: Component) -> None:
    """Version 1 cuts strings, hashes 32 bits and appends the value in an order-preserving form."""
    told = NonePartitionKeyValue if value is UNDEFINED else value
    definition = Definition((("a",),), version=1)
    assert epk_hex(definition.epk((value,))) == by_sdk(SdkPartitionKey("/a", version=1), [told])


@pytest.mark.documented(PARTITIONING)
def test_missing_null_and_values_are_different_partitions(container: ContainerProxy) -> None:
    """An item without the property, one with null, and one with a number or its text lie apart."""
    items: list[tuple[dict[str, Any], Any]] = [
        ({"id": "a"}, NonePartitionKeyValue),
        ({"id": "a", "pk": None}, NullPartitionKeyValue),
        ({"id": "a", "pk": 5}, 5),
        ({"id": "a", "pk": "5"}, "5"),
        ({"id": "a", "pk": True}, True),
        ({"id": "a", "pk": ""}, ""),
    ]
    for item, _ in items:
        container.create_item(item)
    for item, key in items:
        assert container.read_item("a", key).get("pk", "missing") == item.get("pk", "missing")
    assert len(list(container.read_all_items())) == len(items)


@pytest.mark.documented("learn.microsoft.com/azure/cosmos-db/hierarchical-partition-keys")
def test_hierarchical_keys_need_all_levels_for_an_item(database: DatabaseProxy) -> None:
    """An item lives under all its levels; a point read with fewer is 400."""
    container = database.create_container("levels", PartitionKey(["/tenant", "/user", "/session"], kind="MultiHash"))
    container.create_item({"id": "a", "tenant": "t", "user": "u", "session": 1})
    assert container.read_item("a", ["t", "u", 1])["id"] == "a"
    with pytest.raises(exceptions.CosmosResourceNotFoundError):
        container.read_item("a", ["t", "u", 2])
    with pytest.raises(exceptions.CosmosHttpResponseError) as refused:
        container.read_item("a", ["t", "u"])
    assert refused.value.status_code == 400


@pytest.mark.documented("learn.microsoft.com/azure/cosmos-db/scaling-provisioned-throughput-best-practices")
@pytest.mark.parametrize(("throughput", "count"), [(400, 1), (6000, 1), (6100, 2), (12000, 2), (30000, 5)])
def test_throughput_decides_the_number_of_ranges(
    door: Door, database: DatabaseProxy, throughput: int, count: int
) -> None:
    """One physical partition for every 6,000 RU/s at the start, tiling the hash space without a gap."""
    container = database.create_container("sized", PartitionKey("/pk"), offer_throughput=throughput)
    ranges = door.call("GET", f"{container.container_link}/pkranges").json()["PartitionKeyRanges"]
    assert len(ranges) == count
    bounds = [(each["minInclusive"], each["maxExclusive"]) for each in ranges]
    assert bounds[0][0] == ""
    assert bounds[-1][1] == "FF"
    assert all(left[1] == right[0] for left, right in itertools.pairwise(bounds))


@pytest.mark.read_in_sdk("azure-cosmos _routing/_routing_map_provider_common.py")
def test_ranges_that_have_not_changed_are_not_sent_again(door: Door, container: ContainerProxy) -> None:
    """The incremental feed gives all ranges with an ETag, and 304 for that ETag."""
    path, aim = f"{container.container_link}/pkranges", {"a-im": "Incremental Feed"}
    first = door.call("GET", path, headers=aim)
    assert (first.status_code, first.json()["_count"]) == (200, 1)
    assert door.call("GET", path, headers={**aim, "if-none-match": first.headers["etag"]}).status_code == 304


@pytest.mark.read_in_sdk("azure-cosmos _gone_retry_policy.py: 410/1002 makes clients read the ranges again")
def test_an_unknown_range_is_gone(door: Door, container: ContainerProxy) -> None:
    """410 with sub-status 1002."""
    answer = door.call("GET", f"{container.container_link}/docs", headers={"x-ms-documentdb-partitionkeyrangeid": "7"})
    assert (answer.status_code, answer.headers["x-ms-substatus"]) == (410, "1002")


@pytest.mark.our_choice("whatever a client sends, it is a key or it is refused")
@given(st.text(max_size=30))
def test_any_header_is_a_key_or_refused(text: str) -> None:
    """Parsing a partition key header never fails in another way."""
    try:
        key = parse_header(text)
    except ValueError:
        return
    assert len(key) <= 3


@pytest.mark.read_in_sdk(
    "azure-cosmos tests/test_none_options.py and test_crud_subpartition.py, which run on live accounts"
)
def test_a_filter_on_the_partition_key_needs_no_permission_to_cross(container: ContainerProxy) -> None:
    """With neither key nor flag a query is 400, unless its filter admits certain keys only."""
    container.create_item({"id": "a", "pk": "x"})
    container.create_item({"id": "b", "pk": "y"})
    pinned: Any = container.query_items(
        "SELECT VALUE c.id FROM c WHERE c.pk = @pk", parameters=[{"name": "@pk", "value": "x"}]
    )
    assert list(pinned) == ["a"]
    among: Any = container.query_items("SELECT VALUE c.id FROM c WHERE c.pk IN ('x', 'y')")
    assert sorted(among) == ["a", "b"]
    for text in ("SELECT * FROM c", "SELECT * FROM c WHERE c.id = 'a'", "SELECT * FROM c WHERE c.pk > 'a'"):
        with pytest.raises(exceptions.CosmosHttpResponseError) as refused:
            list(container.query_items(text))
        assert refused.value.status_code == 400
