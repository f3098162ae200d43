#!/bin/sh
# Makes the key that signs continuation tokens, once per environment: a new one would end every listing under way.
set -eu

if [ -z "${ORDERS_CONTINUATION_TOKEN_KEY:-}" ]; then
  azd env set ORDERS_CONTINUATION_TOKEN_KEY "$(openssl rand -base64 32)"
fi
