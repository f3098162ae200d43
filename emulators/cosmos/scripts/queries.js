// The JavaScript integrated query interface: chain, filter, map, pluck, flatten, sortBy, sortByDescending, unwind and
// value, on the collection and on `__`. A query reads pages of documents through queryDocuments and transforms each;
// sorting, which needs them all, reads every page first.
"use strict";

(() => {
  const { collection, failWith, response } = __emulator;

  const demandFunction = (name, given) => {
    if (typeof given !== "function") throw failWith(ErrorCodes.BadRequest, `${name} takes a function.`);
    return given;
  };
  const flattened = (isShallow) => (documents) =>
    documents.flatMap((each) => (Array.isArray(each) ? each.flat(isShallow ? 0 : Infinity) : [each]));
  const compare = (a, b) => (a < b ? -1 : a > b ? 1 : 0);
  const sorted = (predicate, sign) =>
    Object.assign((documents) => [...documents].sort((a, b) => sign * compare(predicate(a), predicate(b))),
      { needsAll: true });

  // name: how many arguments of its own it takes at most, and the step they make
  const STEPS = {
    filter: [1, (predicate) => {
      demandFunction("filter", predicate);
      return (documents) => documents.filter((each) => predicate(each));
    }],
    map: [1, (transform) => {
      demandFunction("map", transform);
      return (documents) => documents.map((each) => transform(each)).filter((each) => each !== undefined);
    }],
    pluck: [1, (name) => {
      if (typeof name !== "string" || !name) throw failWith(ErrorCodes.BadRequest, "pluck takes a property's name.");
      return (documents) => documents.map((each) => each?.[name]).filter((each) => each !== undefined);
    }],
    flatten: [1, (isShallow) => flattened(isShallow === true)],
    sortBy: [1, (predicate) => sorted(demandFunction("sortBy", predicate), 1)],
    sortByDescending: [1, (predicate) => sorted(demandFunction("sortByDescending", predicate), -1)],
    unwind: [2, (inner, select) => {
      demandFunction("unwind", inner);
      const pair = typeof select === "function" ? select : (outer, each) => [outer, each];
      return (documents) => documents.flatMap((outer) => {
        const items = inner(outer);
        return Array.isArray(items) ? items.map((each) => pair(outer, each)) : [];
      });
    }],
  };

  // Read, transform and hand over; {isAccepted} says whether there was time to begin.
  function run(steps, options, callback) {
    if (typeof options === "function" && callback === undefined) [options, callback] = [{}, options];
    const settings = options ?? {};
    const needsAll = steps.some((step) => step.needsAll);
    const gathered = [];
    const finish = (documents, feedOptions) => {
      const results = steps.reduce((each, step) => step(each), documents);
      if (callback) callback(undefined, results, feedOptions);
      else if (response()) response().setBody(results);
      else throw failWith(ErrorCodes.BadRequest, "A query needs a callback where there is no response to write to.");
    };
    const read = (continuation) =>
      collection.queryDocuments(collection.getSelfLink(), "SELECT * FROM c", { ...settings, continuation },
        (error, documents, feedOptions) => {
          if (error && callback) callback(error);
          else if (error) throw error;
          else if (!needsAll) finish(documents, feedOptions);
          else {
            gathered.push(...documents);
            if (!feedOptions.continuation) finish(gathered, {});
            else if (!read(feedOptions.continuation)) {
              throw failWith(408, "There is no time left to read all that is to be sorted.");
            }
          }
        });
    return { isAccepted: read(settings.continuation) };
  }

  function chained(steps) {
    const self = { value: (options, callback) => run(steps, options, callback) };
    for (const [name, [count, make]] of Object.entries(STEPS)) {
      self[name] = (...given) => {
        if (given.length > count) {
          throw failWith(ErrorCodes.BadRequest, "In a chain, options and callback are given to value() only.");
        }
        return chained([...steps, make(...given)]);
      };
    }
    return self;
  }

  // How many of a call's arguments are the step's own; options and callback follow.
  const OWN = {
    flatten: (given) => (typeof given[0] === "boolean" ? 1 : 0),
    unwind: (given) => (typeof given[1] === "function" && (given.length > 2 || given[1].length < 3) ? 2 : 1),
  };
  collection.chain = () => chained([]);
  for (const [name, [, make]] of Object.entries(STEPS)) {
    collection[name] = (...given) => {
      const own = OWN[name]?.(given) ?? 1;
      return run([make(...given.slice(0, own))], ...given.slice(own));
    };
  }
})();
