# Publishes the same package to the second app when there is one, and subscribes the projection, whose function exists
# only now. Safe to run again.
$ErrorActionPreference = 'Stop'

function Invoke-Checked {
  & $args[0] @($args | Select-Object -Skip 1)
  if ($LASTEXITCODE -ne 0) { exit $LASTEXITCODE }
}

if ($env:SERVICE_VIEWS_NAME -ne $env:SERVICE_ORDERS_NAME) {
  $package = Join-Path ([IO.Path]::GetTempPath()) "orders-$PID.zip"
  Invoke-Checked azd package orders --output-path $package
  Invoke-Checked az functionapp deployment source config-zip --resource-group $env:AZURE_RESOURCE_GROUP `
    --name $env:SERVICE_VIEWS_NAME --src $package --build-remote true --output none
}

Invoke-Checked az deployment group create --resource-group $env:AZURE_RESOURCE_GROUP --name read-model-subscription `
  --template-file infra/subscription.bicep --output none `
  --parameters "topicName=$env:ORDERS_TOPIC_NAME" "functionAppName=$env:SERVICE_VIEWS_NAME" `
  "storageAccountName=$env:ORDERS_STORAGE_ACCOUNT" "deadLetterContainerName=$env:ORDERS_DEAD_LETTER_CONTAINER"

# From now on main.bicep keeps the subscription as it is written there.
Invoke-Checked azd env set ORDERS_FUNCTIONS_DEPLOYED true
Write-Output "Commands: $env:SERVICE_ORDERS_URI/api/UpdateOrderStatus"
Write-Output "Queries:  $env:SERVICE_VIEWS_URI/api/orders"
