// The unmodified JavaScript SDK against the emulator: node's own test runner, the address and key from the environment.
import assert from "node:assert/strict";
import { createServer } from "node:http";
import { after, before, describe, it } from "node:test";
import {
  AzureKeyCredential,
  AzureSASCredential,
  EventGridDeserializer,
  EventGridPublisherClient,
  generateSharedAccessSignature,
} from "@azure/eventgrid";

const url = process.env.EVENTGRID_URL.replace(/\/$/, "");
const key = new AzureKeyCredential(process.env.EVENTGRID_KEY);
const options = { allowInsecureConnection: url.startsWith("http:"), retryOptions: { maxRetries: 0 } };
const provider = `${url}/subscriptions/s/resourceGroups/g/providers/Microsoft.EventGrid`;
const received = [];
const waiting = [];

const webhook = createServer(async (request, response) => {
  let body = "";
  for await (const part of request) body += part;
  if (request.method === "OPTIONS") {
    response.writeHead(200, { "WebHook-Allowed-Origin": "*" }).end();
    return;
  }
  const events = JSON.parse(body);
  if (request.headers["aeg-event-type"] === "SubscriptionValidation") {
    response.end(JSON.stringify({ validationResponse: events[0].data.validationCode }));
    return;
  }
  received.push({ path: request.url, body });
  waiting.splice(0).forEach((wake) => wake());
  response.writeHead(200).end();
});

async function arm(method, path, properties) {
  const answer = await fetch(`${provider}${path}?api-version=2025-02-15`, {
    method,
    headers: { authorization: "Bearer any", "content-type": "application/json" },
    body: properties && JSON.stringify({ location: "here", properties }),
  });
  assert.ok(answer.ok, `${method} ${path}: ${answer.status}`);
  return answer.status === 202 || answer.status === 204 ? undefined : answer.json();
}

async function topic(name, properties = {}) {
  const { properties: made } = await arm("PUT", `/topics/${name}`, properties);
  const endpointUrl = `http://127.0.0.1:${webhook.address().port}/${name}`;
  const path = `/topics/${name}/eventSubscriptions/sub`;
  await arm("PUT", path, { destination: { endpointType: "WebHook", properties: { endpointUrl } } });
  while ((await arm("GET", path)).properties.provisioningState !== "Succeeded") {
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  return made.endpoint;
}

async function delivered(name, count) {
  const found = () => received.filter(({ path }) => path === `/${name}`);
  while (found().length < count) await new Promise((wake) => waiting.push(wake));
  return found().map(({ body }) => body);
}

before(() => new Promise((listening) => webhook.listen(0, "127.0.0.1", listening)));
after(() => {
  webhook.closeAllConnections();
  webhook.close();
});

describe("publishing", () => {
  it("sends Event Grid events with a key, which the deserializer reads", async () => {
    const client = new EventGridPublisherClient(await topic("js-events"), "EventGrid", key, options);
    await client.send([{ eventType: "Made", subject: "a", dataVersion: "1.0", data: { n: 1 } }]);
    const [body] = await delivered("js-events", 1);
    const [event] = await new EventGridDeserializer().deserializeEventGridEvents(body);
    assert.deepEqual([event.eventType, event.data, event.dataVersion], ["Made", { n: 1 }, "1.0"]);
    assert.match(event.topic, /topics\/js-events$/);
  });

  it("sends CloudEvents with a signature that it makes itself", async () => {
    const endpoint = await topic("js-clouds", { inputSchema: "CloudEventSchemaV1_0" });
    const signature = await generateSharedAccessSignature(endpoint, key, new Date(Date.now() + 3_600_000));
    const client = new EventGridPublisherClient(endpoint, "CloudEvent", new AzureSASCredential(signature), options);
    await client.send([
      { type: "Made", source: "/js", data: { n: 1 }, extensionAttributes: { trace: "x" } },
      { type: "Made", source: "/js", data: Uint8Array.from([1, 2, 3]), datacontenttype: "application/octet-stream" },
    ]);
    const bodies = await delivered("js-clouds", 2);
    const events = (
      await Promise.all(bodies.map((body) => new EventGridDeserializer().deserializeCloudEvents(body)))
    ).flat();
    assert.deepEqual(events.map((each) => each.source), ["/js", "/js"]);
    assert.ok(events.some((each) => each.extensionAttributes?.trace === "x" && each.data.n === 1));
    assert.ok(events.some((each) => each.data instanceof Uint8Array && each.data.join() === "1,2,3"));
  });

  it("sends events of its own shape", async () => {
    const mapping = { eventType: { sourceField: "kind" }, subject: { defaultValue: "s" }, dataVersion: { defaultValue: "1" } };
    const endpoint = await topic("js-custom", {
      inputSchema: "CustomEventSchema",
      inputSchemaMapping: { inputSchemaMappingType: "Json", properties: mapping },
    });
    await new EventGridPublisherClient(endpoint, "Custom", key, options).send([{ kind: "Made", n: 1 }]);
    assert.deepEqual(JSON.parse((await delivered("js-custom", 1))[0]), [{ kind: "Made", n: 1 }]);
  });

  it("hears of a wrong key and of a wrong schema", async () => {
    const endpoint = await topic("js-refused");
    const wrong = new EventGridPublisherClient(endpoint, "EventGrid", new AzureKeyCredential("d3Jvbmc="), options);
    const event = { eventType: "Made", subject: "a", dataVersion: "1.0", data: { n: 1 } };
    await assert.rejects(wrong.send([event]), { statusCode: 401 });
    const clouds = new EventGridPublisherClient(endpoint, "CloudEvent", key, options);
    await assert.rejects(clouds.send([{ type: "Made", source: "/js", data: { n: 1 } }]), { statusCode: 400 });
    const expired = await generateSharedAccessSignature(endpoint, key, new Date(Date.now() - 1_000));
    const late = new EventGridPublisherClient(endpoint, "EventGrid", new AzureSASCredential(expired), options);
    await assert.rejects(late.send([event]), { statusCode: 401 });
  });

  it("sends to the topics of a domain", async () => {
    const { properties } = await arm("PUT", "/domains/js-shop", {});
    const endpointUrl = `http://127.0.0.1:${webhook.address().port}/js-north`;
    const path = "/domains/js-shop/topics/north/eventSubscriptions/sub";
    await arm("PUT", path, { destination: { endpointType: "WebHook", properties: { endpointUrl } } });
    while ((await arm("GET", path)).properties.provisioningState !== "Succeeded") {
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    const client = new EventGridPublisherClient(properties.endpoint, "EventGrid", key, options);
    const event = { eventType: "Made", subject: "a", dataVersion: "1.0", data: { n: 1 } };
    await client.send([{ ...event, topic: "south", id: "1" }, { ...event, topic: "north", id: "2" }]);
    const [body] = await delivered("js-north", 1);
    assert.equal(JSON.parse(body)[0].id, "2");
  });
});
