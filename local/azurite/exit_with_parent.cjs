// Preloaded into Azurite: when the pipe at stdin ends, whoever started it is gone (even by kill -9), so it ends too.
// SIGTERM lets Azurite save its index first.
process.stdin.on("end", () => process.kill(process.pid, "SIGTERM"));
process.stdin.on("error", () => process.kill(process.pid, "SIGTERM"));
process.stdin.resume();
process.stdin.unref(); // watching must not keep Azurite alive once it has closed its servers
