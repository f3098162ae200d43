// The unmodified JavaScript SDK against the emulator: node's own test runner, the endpoint and key from the environment.
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import {
  BulkOperationType,
  ChangeFeedStartFrom,
  CosmosClient,
  EncryptionAlgorithm,
  EncryptionQueryBuilder,
  EncryptionType,
  KeyEncryptionAlgorithm,
  PartitionKeyKind,
  PartitionKeyDefinitionVersion,
} from "@azure/cosmos";

const client = new CosmosClient({ endpoint: process.env.ACCOUNT_HOST, key: process.env.ACCOUNT_KEY });
let database;

before(async () => {
  ({ database } = await client.databases.create({ id: `js-${process.pid}` }));
});
after(async () => {
  await database.delete();
  client.dispose();
});

async function container(id, options = {}) {
  return (await database.containers.create({ id, partitionKey: { paths: ["/pk"], version: 2 }, ...options })).container;
}

describe("items", () => {
  it("are created, read, replaced, upserted, patched and deleted", async () => {
    const items = await container("crud");
    const { resource: made, statusCode, etag } = await items.items.create({ id: "a", pk: "x", n: 1 });
    assert.equal(statusCode, 201);
    assert.equal(made._etag, etag);
    assert.equal((await items.item("a", "x").read()).resource.n, 1);
    assert.equal((await items.item("a", "x").replace({ id: "a", pk: "x", n: 2 })).resource.n, 2);
    await assert.rejects(
      items.item("a", "x").replace({ id: "a", pk: "x" }, { accessCondition: { type: "IfMatch", condition: etag } }),
      { code: 412 },
    );
    assert.equal((await items.items.upsert({ id: "b", pk: "x" })).statusCode, 201);
    const patched = await items.item("a", "x").patch([{ op: "incr", path: "/n", value: 5 }]);
    assert.equal(patched.resource.n, 7);
    await assert.rejects(
      items.item("a", "x").patch({ condition: "from c where c.n = 1", operations: [{ op: "set", path: "/n", value: 0 }] }),
      { code: 412 },
    );
    assert.equal((await items.item("a", "x").delete()).statusCode, 204);
    assert.equal((await items.item("a", "x").read()).statusCode, 404);
    await assert.rejects(items.items.create({ id: "b", pk: "x" }), { code: 409 });
  });

  it("are written in batches that happen whole or not at all", async () => {
    const items = await container("batch");
    const { result } = await items.items.batch(
      [
        { operationType: BulkOperationType.Create, resourceBody: { id: "1", pk: "x" } },
        { operationType: BulkOperationType.Upsert, resourceBody: { id: "2", pk: "x" } },
        { operationType: BulkOperationType.Read, id: "1" },
      ],
      "x",
    );
    assert.deepEqual(result.map((each) => each.statusCode), [201, 201, 200]);
    const failed = await items.items.batch(
      [
        { operationType: BulkOperationType.Create, resourceBody: { id: "3", pk: "x" } },
        { operationType: BulkOperationType.Create, resourceBody: { id: "1", pk: "x" } },
      ],
      "x",
    );
    assert.deepEqual(failed.result.map((each) => each.statusCode), [424, 409]);
    assert.equal((await items.items.readAll().fetchAll()).resources.length, 2);
  });

  it("are written in bulk over several partitions", async () => {
    const { container: items } = await database.containers.create({
      id: "bulk", partitionKey: { paths: ["/pk"], version: 2 }, throughput: 12000,
    });
    const operations = Array.from({ length: 150 }, (_, n) => ({
      operationType: BulkOperationType.Create, resourceBody: { id: `${n}`, pk: `p${n % 10}`, n }, partitionKey: `p${n % 10}`,
    }));
    const answers = await items.items.executeBulkOperations(operations);
    assert.ok(answers.every((each) => (each.response ?? each).statusCode === 201), JSON.stringify(answers[0]));
    assert.equal((await items.items.readAll().fetchAll()).resources.length, 150);
    const { resources } = await items.items.query("SELECT VALUE COUNT(1) FROM c").fetchAll();
    assert.deepEqual(resources, [150]);
    const ordered = await items.items.query("SELECT TOP 3 VALUE c.n FROM c ORDER BY c.n DESC").fetchAll();
    assert.deepEqual(ordered.resources, [149, 148, 147]);
  });

  it("are written in bulk by a client that has not heard of a split", async () => {
    const items = await container("split");
    await items.items.executeBulkOperations([upsert("before", "p0")]);
    const split = await fetch(new URL("/_emulator/split", process.env.ACCOUNT_HOST), {
      method: "POST",
      headers: { "x-emulator-control": "1" },
      body: JSON.stringify({ database: database.id, container: items.id, range: "0" }),
    });
    assert.equal(split.status, 200);
    const operations = Array.from({ length: 20 }, (_, n) => upsert(`${n}`, `p${n}`));
    const answers = await items.items.executeBulkOperations(operations);
    assert.ok(answers.every((each) => (each.response ?? each).statusCode === 201), JSON.stringify(answers));
    assert.equal((await items.items.readAll().fetchAll()).resources.length, 21);
  });
});

function upsert(id, pk) {
  return { operationType: BulkOperationType.Upsert, resourceBody: { id, pk }, partitionKey: pk };
}

describe("the change feed", () => {
  it("is read from the beginning and from now, by key and by range", async () => {
    const items = await container("feed");
    for (let n = 0; n < 5; n += 1) await items.items.create({ id: `${n}`, pk: `p${n % 2}` });
    const all = [];
    const from = { changeFeedStartFrom: ChangeFeedStartFrom.Beginning(), maxItemCount: 2 };
    let token;
    for await (const page of items.items.getChangeFeedIterator(from).getAsyncIterator()) {
      if (page.statusCode === 304) { token = page.continuationToken; break; }
      all.push(...page.result.map((each) => each.id));
    }
    assert.deepEqual(all.sort(), ["0", "1", "2", "3", "4"]);
    await items.items.create({ id: "late", pk: "p0" });
    const resumed = items.items.getChangeFeedIterator({ changeFeedStartFrom: ChangeFeedStartFrom.Continuation(token) });
    assert.deepEqual((await resumed.readNext()).result.map((each) => each.id), ["late"]);
    const keyed = items.items.getChangeFeedIterator({ changeFeedStartFrom: ChangeFeedStartFrom.Beginning("p1") });
    assert.deepEqual((await keyed.readNext()).result.map((each) => each.id), ["1", "3"]);
  });
});

describe("hierarchical partition keys", () => {
  it("address items whole and queries by prefix", async () => {
    const { container: items } = await database.containers.create({
      id: "levels",
      partitionKey: {
        paths: ["/tenant", "/user"], kind: PartitionKeyKind.MultiHash, version: PartitionKeyDefinitionVersion.V2,
      },
    });
    await items.items.create({ id: "a", tenant: "t", user: "u" });
    await items.items.create({ id: "b", tenant: "t", user: "v" });
    await items.items.create({ id: "c", tenant: "s", user: "u" });
    assert.equal((await items.item("a", ["t", "u"]).read()).resource.id, "a");
    const { resources } = await items.items.query("SELECT VALUE c.id FROM c", { partitionKey: ["t"] }).fetchAll();
    assert.deepEqual(resources.sort(), ["a", "b"]);
    const { result } = await items.items.batch(
      [
        { operationType: BulkOperationType.Create, resourceBody: { id: "d", tenant: "t", user: "u" } },
        { operationType: BulkOperationType.Delete, id: "a" },
      ],
      ["t", "u"],
    );
    assert.deepEqual(result.map((each) => each.statusCode), [201, 204]);
    const feed = items.items.getChangeFeedIterator({ changeFeedStartFrom: ChangeFeedStartFrom.Beginning(["t", "u"]) });
    assert.deepEqual((await feed.readNext()).result.map((each) => each.id), ["d"]);
    assert.equal((await items.item("b", ["t", "v"]).delete()).statusCode, 204);
  });
});

describe("scripts", () => {
  it("run as procedures, around writes and in queries", async () => {
    const items = await container("scripts");
    await items.scripts.storedProcedures.create({
      id: "import",
      body: function (documents) {
        var made = 0;
        documents.forEach((each) => __.createDocument(__.getSelfLink(), each, (error) => {
          if (error) throw error;
          getContext().getResponse().setBody(++made);
        }));
      },
    });
    const imported = [{ id: "1", pk: "x", n: 1 }, { id: "2", pk: "x", n: 2 }];
    assert.equal((await items.scripts.storedProcedure("import").execute("x", [imported])).resource, 2);
    await assert.rejects(items.scripts.storedProcedure("import").execute("x", [imported]), (error) => error.code === 400);
    await items.scripts.triggers.create({
      id: "stamp", triggerType: "Pre", triggerOperation: "All",
      body: function () {
        var request = getContext().getRequest();
        request.setBody(Object.assign(request.getBody(), { stamped: true }));
      },
    });
    const { resource } = await items.items.create({ id: "3", pk: "x", n: 3 }, { preTriggerInclude: "stamp" });
    assert.equal(resource.stamped, true);
    await items.scripts.userDefinedFunctions.create({ id: "double", body: function (n) { return 2 * n; } });
    const { resources } = await items.items.query("SELECT VALUE udf.double(c.n) FROM c ORDER BY c.n").fetchAll();
    assert.deepEqual(resources, [2, 4, 6]);
  });
});

describe("resources", () => {
  it("tell throughput, users and permissions", async () => {
    const items = await container("described");
    assert.equal((await items.readOffer()).resource.content.offerThroughput, 400);
    const { user } = await database.users.create({ id: "ann" });
    const { resource } = await user.permissions.create({ id: "p", permissionMode: "read", resource: items.url });
    const reader = new CosmosClient({ endpoint: process.env.ACCOUNT_HOST, resourceTokens: { [items.url]: resource._token } });
    await items.items.create({ id: "a", pk: "x" });
    assert.equal((await reader.database(database.id).container(items.id).item("a", "x").read()).resource.id, "a");
    reader.dispose();
    assert.equal((await client.databases.query("SELECT * FROM d WHERE d.id = 'none'").fetchAll()).resources.length, 0);
  });
});

describe("client side encryption", () => {
  // Stands for a key vault: what it wraps, only it can unwrap.
  const turned = (bytes) => Buffer.from(bytes.map((byte) => byte ^ 0xff));
  const vault = {
    encryptionKeyResolverName: "vault",
    wrapKey: async (_id, _algorithm, key) => turned(key),
    unwrapKey: async (_id, _algorithm, key) => turned(key),
  };
  const wrapped = (value) => ({ type: "vault", name: "kek", value, algorithm: KeyEncryptionAlgorithm.RSA_OAEP });
  const path = (name, encryptionType) => ({
    path: name,
    clientEncryptionKeyId: "cek",
    encryptionType,
    encryptionAlgorithm: EncryptionAlgorithm.AEAD_AES_256_CBC_HMAC_SHA256,
  });

  it("hides from the server what the policy names, and from nobody who has the key", async () => {
    const trusted = new CosmosClient({
      endpoint: process.env.ACCOUNT_HOST,
      key: process.env.ACCOUNT_KEY,
      clientEncryptionOptions: { keyEncryptionKeyResolver: vault },
    });
    const secrets = trusted.database(database.id);
    const algorithm = EncryptionAlgorithm.AEAD_AES_256_CBC_HMAC_SHA256;
    assert.equal((await secrets.createClientEncryptionKey("cek", algorithm, wrapped("1"))).statusCode, 201);
    assert.equal((await secrets.rewrapClientEncryptionKey("cek", wrapped("2"))).statusCode, 200);
    const { container: items } = await secrets.containers.create({
      id: "encrypted",
      partitionKey: { paths: ["/pk"], version: 2 },
      clientEncryptionPolicy: {
        includedPaths: [
          path("/id", EncryptionType.DETERMINISTIC),
          path("/pk", EncryptionType.DETERMINISTIC),
          path("/name", EncryptionType.DETERMINISTIC),
          path("/notes", EncryptionType.RANDOMIZED),
        ],
        policyFormatVersion: 2,
      },
    });
    await items.initializeEncryption();
    await items.items.create({ id: "a", pk: "x", name: "ann", notes: [1, { deep: true }], open: 1 });
    await items.items.bulk([{ operationType: "Create", resourceBody: { id: "b", pk: "x", name: "bob" }, partitionKey: "x" }]);
    await items.item("b", "x").patch([{ op: "set", path: "/name", value: "ben" }]);
    assert.deepEqual((await items.item("a", "x").read()).resource.notes, [1, { deep: true }]);
    const query = new EncryptionQueryBuilder("SELECT * FROM c WHERE c.name = @name");
    query.addParameter("@name", "ben", "/name");
    const found = await (await items.items.getEncryptionQueryIterator(query)).fetchAll();
    assert.deepEqual(found.resources.map((each) => each.id), ["b"]);
    const stored = (await database.container("encrypted").items.readAll().fetchAll()).resources;
    assert.equal(stored.some((each) => ["ann", "ben"].includes(each.name) || ["a", "b"].includes(each.id)), false);
    assert.equal(stored.filter((each) => each.open === 1).length, 1);
    trusted.dispose();
  });
});
