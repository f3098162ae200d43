"""The unmodified management SDK over https: every operation of topics, domains, system topics and subscriptions."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from azure.core.credentials import AccessToken
from azure.core.exceptions import HttpResponseError, ResourceNotFoundError
from azure.mgmt.eventgrid import EventGridManagementClient
from azure.mgmt.eventgrid import models as arm

from emulators.base.serving import Bind
from emulators.base.tls import certificate_file, server_context
from emulators.eventgrid.application import create
from tests.emulators.eventgrid.subscriber import Subscriber, consent
from tests.serving import served

MGMT = "azure-mgmt-eventgrid 10.4.0 (api 2025-02-15)"
pytestmark = pytest.mark.read_in_sdk(MGMT)
GROUP = "/subscriptions/s1/resourceGroups/g1"
ACCOUNT = f"{GROUP}/providers/Microsoft.Storage/storageAccounts/devstoreaccount1"
PROVIDER = f"{GROUP}/providers/Microsoft.EventGrid"


class AnyToken:
    """A credential that needs nobody."""

    def get_token(self, *scopes: str, **options: Any) -> AccessToken:
        """A token that never expires."""
        return AccessToken("any", 2**33)


@pytest.fixture
def client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[EventGridManagementClient]:
    """The SDK's client of an emulator that serves https."""
    monkeypatch.setenv("EMULATORS_CA_DIR", str(tmp_path))
    with (
        served(create, Bind(tls=server_context(tmp_path))) as url,
        EventGridManagementClient(
            AnyToken(),
            "s1",
            base_url=url,
            credential_scopes=["https://management.azure.com/.default"],
            connection_verify=str(certificate_file(tmp_path)),
            polling_interval=0,
            retry_total=0,
        ) as made,
    ):
        yield made


def to(webhook: Subscriber, path: str = "", **more: Any) -> arm.EventSubscription:
    """A subscription of the webhook."""
    destination = arm.WebHookEventSubscriptionDestination(endpoint_url=f"{webhook.url}{path}")
    return arm.EventSubscription(destination=destination, **more)


def names(found: Any) -> list[str]:
    """The names of a list, in order."""
    return sorted(each.name for each in found)


def pages(found: Any) -> list[int]:
    """How long the pages of a list are."""
    return [len(list(page)) for page in found.by_page()]


def test_topics(client: EventGridManagementClient) -> None:
    """Create, get, update, list, keys, delete; what is not there is ResourceNotFound."""
    topics = client.topics
    made: Any = topics.begin_create_or_update("g1", "orders", arm.Topic(location="westus2", tags={"a": "b"})).result()
    assert (made.provisioning_state, made.input_schema) == ("Succeeded", "EventGridSchema")
    assert made.endpoint.endswith("/orders/api/events")
    change = arm.TopicUpdateParameters(
        tags={"c": "d"}, identity=arm.IdentityInfo(type="SystemAssigned"), disable_local_auth=True
    )
    topics.begin_update("g1", "orders", change).result()
    found = topics.get("g1", "orders")
    assert (found.tags, found.disable_local_auth, found.location) == ({"c": "d"}, True, "westus2")
    assert found.identity is not None
    assert found.identity.type == "SystemAssigned"
    before = topics.list_shared_access_keys("g1", "orders")
    after = topics.begin_regenerate_key("g1", "orders", arm.TopicRegenerateKeyRequest(key_name="key2")).result()
    assert (before.key1 == after.key1, before.key2 == after.key2) == (True, False)
    assert names(topics.list_by_resource_group("g1")) == ["orders"]
    assert names(topics.list_by_subscription()) == ["orders"]
    topics.begin_delete("g1", "orders").result()
    with pytest.raises(ResourceNotFoundError) as gone:
        topics.get("g1", "orders")
    assert gone.value.error is not None
    assert gone.value.error.code == "ResourceNotFound"
    topics.begin_delete("g1", "orders").result()


def test_lists_come_in_pages_and_by_name(client: EventGridManagementClient) -> None:
    """Twenty a page unless `top` says otherwise, links to the next, and OData filters on the name."""
    for number in range(23):
        client.topics.begin_create_or_update("g1", f"topic-{number:02}", arm.Topic(location="l")).result()
    assert len(list(client.topics.list_by_resource_group("g1"))) == 23
    assert pages(client.topics.list_by_resource_group("g1", top=10)) == [10, 10, 3]
    assert pages(client.topics.list_by_resource_group("g1")) == [20, 3]

    def found(text: str) -> list[str]:
        return names(client.topics.list_by_resource_group("g1", filter=text))

    assert found("name eq 'TOPIC-07'") == ["topic-07"]
    assert found("contains(namE, '-1') and name ne 'topic-10'") == [f"topic-1{digit}" for digit in range(1, 10)]
    assert found("not (contains(name, '0') or contains(name, '1'))") == ["topic-22"]
    for wrong in ("name", "size eq 3", "name eq topic", "(" * 30):
        with pytest.raises(HttpResponseError) as refused:
            found(wrong)
        assert refused.value.status_code == 400


def test_subscriptions_of_a_topic_in_both_forms(client: EventGridManagementClient, webhook: Subscriber) -> None:
    """Scope and nested form: create, get, update, list, full URL, attributes, delete."""
    topic = client.topics.begin_create_or_update("g1", "orders", arm.Topic(location="here")).result()
    scoped, nested = client.event_subscriptions, client.topic_event_subscriptions
    wanted = to(webhook, "?code=s3cret", labels=["x"], filter=arm.EventSubscriptionFilter(included_event_types=["A"]))
    assert topic.id is not None
    one = scoped.begin_create_or_update(topic.id, "one", wanted).result()
    assert one.provisioning_state == "Succeeded"
    assert isinstance(one.destination, arm.WebHookEventSubscriptionDestination)
    assert one.destination.endpoint_base_url == webhook.url
    two = nested.begin_create_or_update("g1", "orders", "two", wanted).result()
    assert (two.provisioning_state, two.topic) == ("Succeeded", topic.id)
    assert scoped.get(topic.id, "two").id == nested.get("g1", "orders", "two").id == two.id
    assert scoped.get_full_url(topic.id, "one").endpoint_url == f"{webhook.url}?code=s3cret"
    assert nested.get_full_url("g1", "orders", "two").endpoint_url == f"{webhook.url}?code=s3cret"
    mapping = arm.StaticDeliveryAttributeMapping(name="x-key", value="hush", is_secret=True)
    keyed = arm.WebHookEventSubscriptionDestination(endpoint_url=webhook.url, delivery_attribute_mappings=[mapping])
    change = arm.EventSubscriptionUpdateParameters(destination=keyed, labels=["y"])
    assert scoped.begin_update(topic.id, "one", change).result().labels == ["y"]
    assert nested.begin_update("g1", "orders", "two", change).result().labels == ["y"]
    for attributes in (
        scoped.get_delivery_attributes(topic.id, "one"),
        nested.get_delivery_attributes("g1", "orders", "two"),
    ):
        assert attributes.value is not None
        (static,) = attributes.value
        assert isinstance(static, arm.StaticDeliveryAttributeMapping)
        assert static.value == "hush"
    assert names(nested.list("g1", "orders")) == ["one", "two"]
    assert names(scoped.list_by_resource("g1", "Microsoft.EventGrid", "topics", "orders")) == ["one", "two"]
    scoped.begin_delete(topic.id, "one").result()
    nested.begin_delete("g1", "orders", "two").result()
    assert names(nested.list("g1", "orders")) == []


def test_a_failed_handshake_is_an_error_of_the_operation(
    client: EventGridManagementClient, webhook: Subscriber
) -> None:
    """Polling ends with the code `Url validation`; the resource says Failed."""
    webhook.handshake = lambda request: (500, {}, b"") if consent(request) else None
    client.topics.begin_create_or_update("g1", "orders", arm.Topic(location="here")).result()
    with pytest.raises(HttpResponseError, match="Url validation"):
        client.topic_event_subscriptions.begin_create_or_update("g1", "orders", "one", to(webhook)).result()
    assert client.topic_event_subscriptions.get("g1", "orders", "one").provisioning_state == "Failed"


def test_an_invalid_subscription_is_armss_error(client: EventGridManagementClient, webhook: Subscriber) -> None:
    """400 InvalidRequest, read by the SDK into its error."""
    client.topics.begin_create_or_update("g1", "orders", arm.Topic(location="here")).result()
    wrong = to(webhook, retry_policy=arm.RetryPolicy(max_delivery_attempts=31))
    with pytest.raises(HttpResponseError) as refused:
        client.topic_event_subscriptions.begin_create_or_update("g1", "orders", "one", wrong)
    assert refused.value.error is not None
    assert (refused.value.status_code, refused.value.error.code) == (400, "InvalidRequest")


def test_all_filters_and_policies_come_back_as_they_were_sent(
    client: EventGridManagementClient, webhook: Subscriber
) -> None:
    """Every advanced operator, subjects, retry policy, dead letters, expiration."""
    filters: list[Any] = [
        arm.NumberInAdvancedFilter(key="data.n", values=[1, 2]),
        arm.NumberNotInAdvancedFilter(key="data.n", values=[3]),
        arm.NumberLessThanAdvancedFilter(key="data.n", value=9),
        arm.NumberLessThanOrEqualsAdvancedFilter(key="data.n", value=9),
        arm.NumberGreaterThanAdvancedFilter(key="data.n", value=-1),
        arm.NumberGreaterThanOrEqualsAdvancedFilter(key="data.n", value=-1),
        arm.NumberInRangeAdvancedFilter(key="data.n", values=[[0.0, 5.0]]),
        arm.NumberNotInRangeAdvancedFilter(key="data.n", values=[[6.0, 7.0]]),
        arm.BoolEqualsAdvancedFilter(key="data.b", value=True),
        arm.StringContainsAdvancedFilter(key="data.s", values=["a"]),
        arm.StringNotContainsAdvancedFilter(key="data.s", values=["z"]),
        arm.StringBeginsWithAdvancedFilter(key="data.s", values=["a"]),
        arm.StringNotBeginsWithAdvancedFilter(key="data.s", values=["z"]),
        arm.StringEndsWithAdvancedFilter(key="data.s", values=["c"]),
        arm.StringNotEndsWithAdvancedFilter(key="data.s", values=["z"]),
        arm.StringInAdvancedFilter(key="data.s", values=["abc"]),
        arm.StringNotInAdvancedFilter(key="data.s", values=["z"]),
        arm.IsNullOrUndefinedAdvancedFilter(key="data.gone"),
        arm.IsNotNullAdvancedFilter(key="data.n"),
    ]
    wanted = to(
        webhook,
        filter=arm.EventSubscriptionFilter(
            subject_begins_with="a",
            subject_ends_with="z",
            is_subject_case_sensitive=True,
            enable_advanced_filtering_on_arrays=True,
            advanced_filters=filters,
        ),
        retry_policy=arm.RetryPolicy(max_delivery_attempts=5, event_time_to_live_in_minutes=7),
        dead_letter_destination=arm.StorageBlobDeadLetterDestination(resource_id=ACCOUNT, blob_container_name="dead"),
        expiration_time_utc=datetime(2100, 1, 1, tzinfo=UTC),
        event_delivery_schema="CloudEventSchemaV1_0",
    )
    client.topics.begin_create_or_update("g1", "orders", arm.Topic(location="here")).result()
    client.topic_event_subscriptions.begin_create_or_update("g1", "orders", "one", wanted).result()
    found = client.topic_event_subscriptions.get("g1", "orders", "one")
    for part in ("filter", "retry_policy", "dead_letter_destination", "expiration_time_utc", "event_delivery_schema"):
        kept, sent = getattr(found, part), getattr(wanted, part)
        assert (kept.as_dict() if hasattr(kept, "as_dict") else kept) == (
            sent.as_dict() if hasattr(sent, "as_dict") else sent
        )


def test_domains_and_their_topics(client: EventGridManagementClient, webhook: Subscriber) -> None:
    """Keys, update, topics by hand and by their first subscription, which take it with them when they go."""
    domains, topics = client.domains, client.domain_topics
    made = domains.begin_create_or_update("g1", "shop", arm.Domain(location="here")).result()
    assert (made.auto_create_topic_with_first_subscription, made.auto_delete_topic_with_last_subscription) == (
        True,
    ) * 2
    domains.begin_update("g1", "shop", arm.DomainUpdateParameters(tags={"a": "b"})).result()
    assert domains.get("g1", "shop").tags == {"a": "b"}
    before = domains.list_shared_access_keys("g1", "shop")
    after = domains.regenerate_key("g1", "shop", arm.DomainRegenerateKeyRequest(key_name="key1"))
    assert (before.key1 == after.key1, before.key2 == after.key2) == (False, True)
    assert names(domains.list_by_resource_group("g1")) == names(domains.list_by_subscription()) == ["shop"]
    assert topics.begin_create_or_update("g1", "shop", "north").result().provisioning_state == "Succeeded"
    scope = f"{made.id}/topics/south"
    client.event_subscriptions.begin_create_or_update(scope, "one", to(webhook)).result()
    client.domain_topic_event_subscriptions.begin_create_or_update("g1", "shop", "north", "two", to(webhook)).result()
    client.domain_event_subscriptions.begin_create_or_update("g1", "shop", "all", to(webhook)).result()
    assert names(topics.list_by_domain("g1", "shop")) == ["north", "south"]
    assert topics.get("g1", "shop", "south").id == scope
    assert names(client.event_subscriptions.list_by_domain_topic("g1", "shop", "south")) == ["one"]
    assert names(client.domain_topic_event_subscriptions.list("g1", "shop", "north")) == ["two"]
    assert names(client.domain_event_subscriptions.list("g1", "shop")) == ["all"]
    client.domain_topic_event_subscriptions.begin_delete("g1", "shop", "south", "one").result()
    assert names(topics.list_by_domain("g1", "shop")) == ["north"]
    topics.begin_delete("g1", "shop", "north").result()
    client.domain_event_subscriptions.begin_delete("g1", "shop", "all").result()
    domains.begin_delete("g1", "shop").result()
    assert names(domains.list_by_subscription()) == []


def test_a_domain_may_leave_its_topics_to_the_user(client: EventGridManagementClient, webhook: Subscriber) -> None:
    """Neither made by a subscription nor gone with it."""
    manual = arm.Domain(
        location="here",
        auto_create_topic_with_first_subscription=False,
        auto_delete_topic_with_last_subscription=False,
    )
    client.domains.begin_create_or_update("g1", "shop", manual).result()
    nested = client.domain_topic_event_subscriptions
    with pytest.raises(ResourceNotFoundError):
        nested.begin_create_or_update("g1", "shop", "north", "one", to(webhook))
    client.domain_topics.begin_create_or_update("g1", "shop", "north").result()
    nested.begin_create_or_update("g1", "shop", "north", "one", to(webhook)).result()
    nested.begin_update("g1", "shop", "north", "one", arm.EventSubscriptionUpdateParameters(labels=["x"])).result()
    assert nested.get("g1", "shop", "north", "one").labels == ["x"]
    nested.begin_delete("g1", "shop", "north", "one").result()
    assert names(client.domain_topics.list_by_domain("g1", "shop")) == ["north"]


def test_system_topics_of_storage_accounts(client: EventGridManagementClient, webhook: Subscriber) -> None:
    """One for each account, also made by the first subscription on the account itself."""
    topics, nested = client.system_topics, client.system_topic_event_subscriptions
    wanted = arm.SystemTopic(location="here", source=ACCOUNT, topic_type="Microsoft.Storage.StorageAccounts")
    made: Any = topics.begin_create_or_update("g1", "blobs", wanted).result()
    assert (made.provisioning_state, made.source) == ("Succeeded", ACCOUNT)
    topics.begin_update("g1", "blobs", arm.SystemTopicUpdateParameters(tags={"a": "b"})).result()
    assert topics.get("g1", "blobs").tags == {"a": "b"}
    assert names(topics.list_by_resource_group("g1")) == names(topics.list_by_subscription()) == ["blobs"]
    one = nested.begin_create_or_update("g1", "blobs", "one", to(webhook, "?a=1")).result()
    assert one.topic == ACCOUNT
    client.event_subscriptions.begin_create_or_update(ACCOUNT, "two", to(webhook)).result()
    assert names(nested.list_by_system_topic("g1", "blobs")) == ["one", "two"]
    assert client.event_subscriptions.get(ACCOUNT, "one").id == one.id
    assert nested.get_full_url("g1", "blobs", "one").endpoint_url == f"{webhook.url}?a=1"
    assert nested.get_delivery_attributes("g1", "blobs", "one").value == []
    nested.begin_update("g1", "blobs", "one", arm.EventSubscriptionUpdateParameters(labels=["x"])).result()
    assert nested.get("g1", "blobs", "one").labels == ["x"]
    assert client.extension_topics.get(ACCOUNT).system_topic == made.id
    nested.begin_delete("g1", "blobs", "one").result()
    topics.begin_delete("g1", "blobs").result()
    with pytest.raises(ResourceNotFoundError):
        client.event_subscriptions.get(ACCOUNT, "two")
    client.event_subscriptions.begin_create_or_update(ACCOUNT, "three", to(webhook)).result()
    assert names(topics.list_by_resource_group("g1")) == ["devstoreaccount1-system-topic"]
    other = arm.SystemTopic(location="here", source=ACCOUNT, topic_type="Microsoft.Storage.StorageAccounts")
    with pytest.raises(HttpResponseError, match="has the system topic"):
        topics.begin_create_or_update("g1", "second", other)


@pytest.mark.parametrize(
    ("source", "topic_type", "status"),
    [
        ("/subscriptions/s1/resourceGroups/g1/providers/Microsoft.KeyVault/vaults/v", "Microsoft.KeyVault.vaults", 501),
        (ACCOUNT + "other", "Microsoft.Storage.StorageAccounts", 400),
        ("/subscriptions/s1", "Microsoft.Storage.StorageAccounts", 400),
    ],
)
def test_other_sources_are_refused_by_name(
    client: EventGridManagementClient, source: str, topic_type: str, status: int
) -> None:
    """Kinds without events here are 501, an account that is not the emulator's is 400."""
    wanted = arm.SystemTopic(location="here", source=source, topic_type=topic_type)
    with pytest.raises(HttpResponseError) as refused:
        client.system_topics.begin_create_or_update("g1", "blobs", wanted)
    assert refused.value.status_code == status


def test_lists_across_resources(client: EventGridManagementClient, webhook: Subscriber) -> None:
    """By region and kind of source, below an Azure subscription or a resource group; global sources apart."""
    for name, location in (("east-one", "East US"), ("west-one", "westus"), ("everywhere", "global")):
        client.topics.begin_create_or_update("g1", name, arm.Topic(location=location)).result()
        client.topic_event_subscriptions.begin_create_or_update("g1", name, f"of-{name}", to(webhook)).result()
    client.domains.begin_create_or_update("g1", "shop", arm.Domain(location="eastus")).result()
    client.domain_topic_event_subscriptions.begin_create_or_update("g1", "shop", "north", "of-it", to(webhook)).result()
    found, kind = client.event_subscriptions, "Microsoft.EventGrid.Topics"
    assert names(found.list_global_by_subscription()) == ["of-everywhere"]
    assert names(found.list_global_by_resource_group("g1")) == ["of-everywhere"]
    assert names(found.list_global_by_subscription_for_topic_type(kind)) == ["of-everywhere"]
    assert names(found.list_global_by_resource_group_for_topic_type("g2", kind)) == []
    assert names(found.list_regional_by_subscription("eastus")) == ["of-east-one", "of-it"]
    assert names(found.list_regional_by_resource_group("g1", "westus")) == ["of-west-one"]
    assert names(found.list_regional_by_subscription_for_topic_type("eastus", kind)) == ["of-east-one"]
    by_kind = found.list_regional_by_resource_group_for_topic_type
    assert names(by_kind("g1", "eastus", "Microsoft.EventGrid.Domains")) == ["of-it"]


def test_topic_types_and_operations(client: EventGridManagementClient) -> None:
    """What there are events of, and what the provider can do."""
    assert "Microsoft.Storage.StorageAccounts" in names(client.topic_types.list())
    assert client.topic_types.get("microsoft.storage.storageaccounts").provider == "Microsoft.Storage"
    events = client.topic_types.list_event_types("Microsoft.Storage.StorageAccounts")
    assert {"Microsoft.Storage.BlobCreated", "Microsoft.Storage.BlobDeleted"} <= set(names(events))
    same = client.topics.list_event_types("g1", "Microsoft.Storage", "storageAccounts", "devstoreaccount1")
    assert "Microsoft.Storage.BlobCreated" in names(same)
    assert "Microsoft.EventGrid/topics/write" in names(client.operations.list())
    with pytest.raises(ResourceNotFoundError):
        client.topic_types.get("Microsoft.Nothing")


def elsewhere(kind: type, provider: str, path: str) -> Any:
    """A destination of some kind by its ARM id."""
    return kind(resource_id=f"{GROUP}/providers/{provider}/namespaces/n/{path}")


DESTINATIONS = {
    "EventHub": elsewhere(arm.EventHubEventSubscriptionDestination, "Microsoft.EventHub", "eventhubs/h"),
    "ServiceBusQueue": elsewhere(arm.ServiceBusQueueEventSubscriptionDestination, "Microsoft.ServiceBus", "queues/q"),
    "ServiceBusTopic": elsewhere(arm.ServiceBusTopicEventSubscriptionDestination, "Microsoft.ServiceBus", "topics/t"),
    "HybridConnection": elsewhere(
        arm.HybridConnectionEventSubscriptionDestination, "Microsoft.Relay", "hybridConnections/c"
    ),
    "MonitorAlert": arm.MonitorAlertEventSubscriptionDestination(severity="Sev1", action_groups=[]),
    "azureActiveDirectoryTenantId": arm.WebHookEventSubscriptionDestination(
        endpoint_url="http://127.0.0.1:1/", azure_active_directory_tenant_id="t"
    ),
}


@pytest.mark.parametrize("name", DESTINATIONS)
def test_what_cannot_be_delivered_to_is_refused_by_name(client: EventGridManagementClient, name: str) -> None:
    """501 in ARM's error body, never a subscription that delivers nothing."""
    client.topics.begin_create_or_update("g1", "orders", arm.Topic(location="here")).result()
    wanted = arm.EventSubscription(destination=DESTINATIONS[name])
    with pytest.raises(HttpResponseError, match=name) as refused:
        client.topic_event_subscriptions.begin_create_or_update("g1", "orders", "one", wanted)
    assert refused.value.error is not None
    assert (refused.value.status_code, refused.value.error.code) == (501, "NotImplemented")


@pytest.mark.parametrize(
    ("resource", "method", "arguments"),
    [
        ("partner_topics", "list_by_subscription", ()),
        ("partner_registrations", "list_by_subscription", ()),
        ("partner_namespaces", "list_by_subscription", ()),
        ("partner_configurations", "list_by_subscription", ()),
        ("verified_partners", "list", ()),
        ("private_endpoint_connections", "list_by_resource", ("g1", "topics", "orders")),
        ("private_link_resources", "list_by_resource", ("g1", "topics", "orders")),
    ],
)
def test_resources_that_are_not_built_are_501(
    client: EventGridManagementClient, resource: str, method: str, arguments: tuple[str, ...]
) -> None:
    """Partners and private links, by name."""
    with pytest.raises(HttpResponseError) as refused:
        list(getattr(getattr(client, resource), method)(*arguments))
    assert refused.value.status_code == 501
