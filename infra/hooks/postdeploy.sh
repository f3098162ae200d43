#!/bin/sh
# Publishes the same package to the second app when there is one, and subscribes the projection, whose function exists
# only now. Safe to run again.
set -eu

if [ "$SERVICE_VIEWS_NAME" != "$SERVICE_ORDERS_NAME" ]; then
  package="$(mktemp -d)/orders.zip"
  azd package orders --output-path "$package"
  az functionapp deployment source config-zip --resource-group "$AZURE_RESOURCE_GROUP" \
    --name "$SERVICE_VIEWS_NAME" --src "$package" --build-remote true --output none
fi

az deployment group create --resource-group "$AZURE_RESOURCE_GROUP" --name read-model-subscription \
  --template-file infra/subscription.bicep --output none \
  --parameters topicName="$ORDERS_TOPIC_NAME" functionAppName="$SERVICE_VIEWS_NAME" \
  storageAccountName="$ORDERS_STORAGE_ACCOUNT" deadLetterContainerName="$ORDERS_DEAD_LETTER_CONTAINER"

# From now on main.bicep keeps the subscription as it is written there.
azd env set ORDERS_FUNCTIONS_DEPLOYED true
echo "Commands: $SERVICE_ORDERS_URI/api/UpdateOrderStatus"
echo "Queries:  $SERVICE_VIEWS_URI/api/orders"
