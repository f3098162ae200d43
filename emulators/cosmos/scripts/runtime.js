// What a script sees of Azure Cosmos DB: getContext(), __, console.log, ErrorCodes, as the JavaScript server-side
// reference describes them (azure.github.io/azure-cosmosdb-js-server). Operations are queued; the host takes them from
// `__emulator.collect()`, does them, and calls back through `__emulator.resume()`. Knows nothing of the host beyond
// the shapes of these messages. Loaded into every fresh context before the script.
"use strict";

const ErrorCodes = Object.freeze({
  BadRequest: 400, Forbidden: 403, NotFound: 404, Conflict: 409, PreconditionFailed: 412, RequestEntityTooLarge: 413,
  RetryWith: 449, InternalServerError: 500,
});

var __, getContext;

const __emulator = (() => {
  const { parse, stringify } = JSON;
  const PlainError = Error;
  const RealDate = Date;
  const wanted = [];
  const callbacks = new Map();
  const functions = new Map(); // user-defined ones by name
  let lastNumber = 0;
  let call = null; // what begin() was given
  let began = 0;
  let failure = null;
  let log = "";
  let response = null;
  let request = null;

  // The service's engine takes (number, text), as old JScript did; scripts rely on it.
  function failWith(number, text) {
    const error = new PlainError(text);
    error.number = number;
    return error;
  }
  globalThis.Error = new Proxy(PlainError, {
    construct: (target, given, newTarget) =>
      typeof given[0] === "number" && given.length > 1
        ? Object.assign(Reflect.construct(target, [given[1]], newTarget), { number: given[0], description: given[1] })
        : Reflect.construct(target, given, newTarget),
    apply: (target, self, given) => Reflect.construct(globalThis.Error, given),
  });
  Object.defineProperty(PlainError.prototype, "constructor", { value: globalThis.Error });

  // Time is the emulator's, which its user may have turned.
  const now = () => RealDate.now() + (call ? call.clockAheadMilliseconds : 0);
  globalThis.Date = new Proxy(RealDate, {
    construct: (target, given, newTarget) => Reflect.construct(target, given.length ? given : [now()], newTarget),
    apply: () => new RealDate(now()).toString(),
    get: (target, name) => (name === "now" ? now : Reflect.get(target, name)),
  });

  for (const name of ["setTimeout", "clearTimeout", "__timer_manager", "SharedArrayBuffer", "WebAssembly", "Atomics"]) {
    // none of them exists in the service
    if (!Reflect.deleteProperty(globalThis, name)) globalThis[name] = undefined;
  }

  globalThis.console = Object.freeze({
    log(format, ...values) {
      if (typeof format !== "string") throw failWith(ErrorCodes.BadRequest, "console.log takes a string first.");
      const line = format.replace(/%[s%]/g, (mark) => (mark === "%%" ? "%" : String(values.shift())));
      if (call?.logging && log.length + line.length <= call.logCharactersMax) log += line;
    },
  });

  // A request or response as a script sees it. `properties`: name to [value, whether the script may change it].
  function message(properties) {
    const sizeOf = (value) => (typeof value === "string" ? value : stringify(value) ?? "").length;
    const writable = (name) => {
      if (!Object.hasOwn(properties, name)) throw failWith(ErrorCodes.BadRequest, `Cannot set new values: ${name}`);
      if (!properties[name][1]) throw failWith(ErrorCodes.Forbidden, `Not a writable property: ${name}`);
    };
    const self = {
      getValue: (name) => properties[name][0],
      setValue(name, value) {
        writable(name);
        if (sizeOf(value) > call.responseCharactersMax) {
          throw failWith(ErrorCodes.RequestEntityTooLarge,
            `The message would be too large because of "${name}". Return what there is and go on in another call.`);
        }
        properties[name][0] = value;
      },
      appendValue(name, value) {
        writable(name);
        const old = properties[name][0];
        self.setValue(name, old === undefined || old === null ? value : old + value);
      },
    };
    for (const name of Object.keys(properties)) {
      self[`get${name}`] = () => self.getValue(name);
      if (properties[name][1]) {
        self[`set${name}`] = (value) => self.setValue(name, value);
        self[`append${name}`] = (value) => self.appendValue(name, value);
      }
    }
    return self;
  }

  // Queue an operation; false when there is no time left for more.
  function enqueue(operation, callback, results) {
    if (RealDate.now() - began > call.acceptingMilliseconds) return false;
    const number = ++lastNumber;
    callbacks.set(number, { callback, results });
    wanted.push({ number, ...operation });
    return true;
  }

  function optionsAndCallback(options, callback) {
    if (typeof options === "function" && callback === undefined) return [{}, options];
    if (options !== undefined && options !== null && typeof options !== "object") {
      throw failWith(ErrorCodes.BadRequest, `The options must be an object, not a ${typeof options}.`);
    }
    if (callback !== undefined && callback !== null && typeof callback !== "function") {
      throw failWith(ErrorCodes.BadRequest, `The callback must be a function, not a ${typeof callback}.`);
    }
    return [options ?? {}, callback];
  }

  const trimmed = (link) => (typeof link === "string" ? link.replace(/\/$/, "") : "");

  function demandCollection(link) {
    if (![trimmed(call.selfLink), call.altLink].includes(trimmed(link))) {
      throw failWith(ErrorCodes.BadRequest, `Invalid collection link, or not of the current collection: "${link}".`);
    }
  }

  function documentOf(link) {
    for (const [base, by] of [[trimmed(call.selfLink), "rid"], [call.altLink, "id"]]) {
      const prefix = `${base}/docs/`;
      const name = trimmed(link).startsWith(prefix) ? trimmed(link).slice(prefix.length) : "";
      if (name && !name.includes("/")) return { [by]: name };
    }
    throw failWith(ErrorCodes.BadRequest, `Invalid document link, or not of the current collection: "${link}".`);
  }

  function bodyOf(body, options) {
    const action = options.indexAction ?? "default";
    if (typeof action !== "string" || !["default", "include", "exclude"].includes(action.toLowerCase())) {
      throw failWith(ErrorCodes.BadRequest, `The indexAction is default, include or exclude, not ${action}.`);
    }
    if (body === null || !["object", "string"].includes(typeof body)) {
      throw failWith(ErrorCodes.BadRequest, "The document body must be an object, or a string of one in JSON.");
    }
    const document = typeof body === "string" ? parse(body) : body;
    if (document.id || options.disableAutomaticIdGeneration === true) return { body: stringify(document) };
    return { body: stringify(document), makesId: true };
  }

  const one = (text, options) => [text === null ? undefined : parse(text), options];
  const many = (text, options) => [parse(text), options];
  const none = (_, options) => [options];

  const pageOf = (options) => ({ pageSize: options.pageSize ?? 100, continuation: options.continuation ?? "" });

  const collection = {
    getSelfLink: () => call.selfLink,
    getAltLink: () => call.altLink,
    readDocument(link, options, callback) {
      const target = documentOf(link);
      [options, callback] = optionsAndCallback(options, callback);
      return enqueue({ operation: "read", ...target, ifNoneMatch: options.ifNoneMatch ?? "" }, callback, one);
    },
    readDocuments(link, options, callback) {
      demandCollection(link);
      [options, callback] = optionsAndCallback(options, callback);
      return enqueue({ operation: "query", query: "SELECT * FROM c", ...pageOf(options) }, callback, many);
    },
    queryDocuments(link, query, options, callback) {
      demandCollection(link);
      if (typeof query !== "string" && (query === null || typeof query !== "object")) {
        throw failWith(ErrorCodes.BadRequest, `The query must be a string or an object, not a ${typeof query}.`);
      }
      [options, callback] = optionsAndCallback(options, callback);
      const asked = typeof query === "string" ? { query } : { query: query.query, parameters: query.parameters };
      return enqueue({ operation: "query", ...asked, ...pageOf(options) }, callback, many);
    },
    createDocument(link, body, options, callback) {
      demandCollection(link);
      [options, callback] = optionsAndCallback(options, callback);
      return enqueue({ operation: "create", ...bodyOf(body, options) }, callback, one);
    },
    upsertDocument(link, body, options, callback) {
      demandCollection(link);
      [options, callback] = optionsAndCallback(options, callback);
      return enqueue({ operation: "upsert", ...bodyOf(body, options), ifMatch: options.etag ?? "" }, callback, one);
    },
    replaceDocument(link, document, options, callback) {
      const target = documentOf(link);
      [options, callback] = optionsAndCallback(options, callback);
      const { body } = bodyOf(document, { ...options, disableAutomaticIdGeneration: true });
      return enqueue({ operation: "replace", ...target, body, ifMatch: options.etag ?? "" }, callback, one);
    },
    deleteDocument(link, options, callback) {
      const target = documentOf(link);
      [options, callback] = optionsAndCallback(options, callback);
      return enqueue({ operation: "delete", ...target, ifMatch: options.etag ?? "" }, callback, none);
    },
  };
  for (const name of ["createAttachment", "readAttachment", "readAttachments", "queryAttachments",
    "replaceAttachment", "upsertAttachment", "deleteAttachment"]) {
    collection[name] = () => {
      throw failWith(501, `${name} is not implemented in this emulator: attachments are retired.`);
    };
  }

  const unbuiltQuotas = {};
  for (const name of ["getMaxResourceQuota", "getResourceQuotaCurrentUsage"]) {
    unbuiltQuotas[name] = () => {
      throw failWith(501, `${name} is not implemented in this emulator.`);
    };
  }

  const context = {
    getCollection: () => collection,
    abort(error) {
      failure ??= describe(error);
      throw error;
    },
  };

  function describe(error) {
    if (error === null || typeof error !== "object" || !(error instanceof PlainError)) {
      return { thrown: typeof error === "string" ? error : stringify(error) ?? String(error) };
    }
    const number = Number.isInteger(error.number) ? error.number : 0;
    return { name: String(error.name), message: String(error.message), stack: String(error.stack), number };
  }

  // Nothing more of a script is done once it has thrown.
  function guarded(work) {
    if (failure !== null) return;
    try {
      work();
    } catch (error) {
      failure ??= describe(error);
    }
  }

  return Object.freeze({
    failWith,
    collection,
    context,
    response: () => response,
    begin(text) {
      call = parse(text);
      began = RealDate.now();
      if (call.request) {
        request = message(call.request);
        context.getRequest = () => request;
      }
      if (call.response) {
        response = Object.assign(message(call.response), unbuiltQuotas);
        context.getResponse = () => response;
      }
      if (call.hasContext) {
        globalThis.getContext = () => context;
        globalThis.__ = Object.create(collection, {
          request: { value: request ?? undefined }, response: { value: response ?? undefined },
        });
      }
    },
    call: (main) => guarded(() => main(...call.arguments)),
    resume: (text) => {
      for (const { number, error, body, options } of parse(text)) {
        const { callback, results } = callbacks.get(number);
        callbacks.delete(number);
        guarded(() => {
          if (error) {
            const raised = Object.assign(failWith(error.number, error.body), { body: error.body });
            if (!callback) throw raised;
            callback(raised);
          } else if (callback) {
            callback(undefined, ...results(body, options));
          }
        });
      }
    },
    collect() {
      if (failure !== null) return stringify({ failed: failure, log });
      if (wanted.length) return stringify({ wanted: wanted.splice(0) });
      const shown = (properties) => (properties ? stringify(properties.getBody()) ?? null : null);
      return stringify({ finished: { request: shown(request), response: shown(response) }, log });
    },
    // A user-defined function is defined once and applied to lists of [value] or [] (undefined); its result is such too.
    define: (name, main) => functions.set(parse(name), main),
    apply(name, text) {
      failure = null;
      let value;
      guarded(() => { value = functions.get(parse(name))(...parse(text).map(([each]) => each)); });
      return stringify(failure ? { failed: failure } : { value: value === undefined ? [] : [value] });
    },
  });
})();
