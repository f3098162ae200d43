# Makes the key that signs continuation tokens, once per environment: a new one would end every listing under way.
$ErrorActionPreference = 'Stop'

if (-not $env:ORDERS_CONTINUATION_TOKEN_KEY) {
  $secret = [byte[]]::new(32)
  [System.Security.Cryptography.RandomNumberGenerator]::Fill($secret)
  azd env set ORDERS_CONTINUATION_TOKEN_KEY ([Convert]::ToBase64String($secret))
  if ($LASTEXITCODE -ne 0) { exit $LASTEXITCODE }
}
