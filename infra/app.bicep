// One function app on Flex Consumption. Both apps get the same package; the role disables the other side's functions.
// GetOpenApi is in both.
// The settings are exactly what the two wirings read, and the host's own; tests/infra compares them.

param location string
param tags object
param appName string
@allowed([
  'everything'
  'commands'
  'views'
])
param role string
param identityId string
param identityClientId string
param packageContainerName string
param storageAccountName string
param insightsConnectionString string
param cosmosEndpoint string
param databaseName string
param writeContainerName string
param readContainerPrefix string
param parkedContainerName string
param topicEndpoint string
param eventSchema string
@secure()
param continuationTokenKey string
param subnetId string
param instanceMemoryMB int
param maximumInstanceCount int
param alwaysReadyInstances int
param httpConcurrency int

var commandFunctions = [
  'UpdateOrderStatus'
  'UpdateOrderStatuses'
  'PublishPendingOrderEvents'
]
var viewFunctions = [
  'UpdateOrderStatusReadModel'
  'GetOrder'
  'ListOrders'
  'GetOrderHistory'
  'GetOrderSummary'
]
var runsCommands = role != 'views'
var runsViews = role != 'commands'
var disabledFunctions = concat(runsCommands ? [] : commandFunctions, runsViews ? [] : viewFunctions)

var hostSettings = [
  { name: 'AzureWebJobsStorage__accountName', value: storageAccountName }
  { name: 'AzureWebJobsStorage__credential', value: 'managedidentity' }
  { name: 'AzureWebJobsStorage__clientId', value: identityClientId }
  { name: 'APPLICATIONINSIGHTS_CONNECTION_STRING', value: insightsConnectionString }
  { name: 'APPLICATIONINSIGHTS_AUTHENTICATION_STRING', value: 'ClientId=${identityClientId};Authorization=AAD' }
  { name: 'AZURE_CLIENT_ID', value: identityClientId }
]
var orderSettings = [
  { name: 'CosmosDBConnection__accountEndpoint', value: cosmosEndpoint }
  { name: 'EventGridTopicEndpoint', value: topicEndpoint }
  { name: 'OrdersDatabase', value: databaseName }
  { name: 'OrdersWriteContainer', value: writeContainerName }
  { name: 'OrdersReadContainer', value: readContainerPrefix }
  { name: 'OrdersParkedContainer', value: parkedContainerName }
  { name: 'OrdersEventSchema', value: eventSchema }
  { name: 'OrdersRelaySchedule', value: '*/30 * * * * *' }
  { name: 'OrdersRelayGraceSeconds', value: '10' }
  { name: 'OrdersPublishBudgetSeconds', value: '2' }
  { name: 'OrdersCommitAttempts', value: '5' }
  { name: 'OrdersReadYourWritesFallback', value: 'write' }
  { name: 'OrdersContinuationTokenKey', value: continuationTokenKey }
  { name: 'OrdersTelemetry', value: 'azuremonitor' }
  { name: 'OrdersLogFormat', value: 'json' }
]
var disabledSettings = [
  for functionName in disabledFunctions: {
    name: 'AzureWebJobs.${functionName}.Disabled'
    value: 'true'
  }
]

resource storageAccount 'Microsoft.Storage/storageAccounts@2024-01-01' existing = {
  name: storageAccountName
}

resource plan 'Microsoft.Web/serverfarms@2024-04-01' = {
  name: 'plan-${appName}'
  location: location
  tags: tags
  kind: 'functionapp'
  sku: {
    tier: 'FlexConsumption'
    name: 'FC1'
  }
  properties: {
    reserved: true
  }
}

resource functionApp 'Microsoft.Web/sites@2024-04-01' = {
  name: appName
  location: location
  tags: tags
  kind: 'functionapp,linux'
  identity: {
    type: 'UserAssigned'
    userAssignedIdentities: {
      '${identityId}': {}
    }
  }
  properties: {
    serverFarmId: plan.id
    httpsOnly: true
    clientAffinityEnabled: false
    virtualNetworkSubnetId: empty(subnetId) ? null : subnetId
    functionAppConfig: {
      deployment: {
        storage: {
          type: 'blobContainer'
          value: '${storageAccount.properties.primaryEndpoints.blob}${packageContainerName}'
          authentication: {
            type: 'UserAssignedIdentity'
            userAssignedIdentityResourceId: identityId
          }
        }
      }
      scaleAndConcurrency: {
        instanceMemoryMB: instanceMemoryMB
        maximumInstanceCount: maximumInstanceCount
        triggers: {
          // Unless told, Flex Consumption gives Python one request at a time; these functions wait rather than compute.
          http: { perInstanceConcurrency: httpConcurrency }
        }
        alwaysReady: (alwaysReadyInstances > 0) ? [{ name: 'http', instanceCount: alwaysReadyInstances }] : []
      }
      runtime: {
        name: 'python'
        version: '3.13'
      }
    }
    siteConfig: {
      minTlsVersion: '1.2'
      ftpsState: 'Disabled'
      http20Enabled: true
      appSettings: concat(hostSettings, orderSettings, disabledSettings)
    }
  }
}

// Deployment by user name and password is off: azd and the pipeline have identities.
resource noFtp 'Microsoft.Web/sites/basicPublishingCredentialsPolicies@2024-04-01' = {
  parent: functionApp
  name: 'ftp'
  properties: {
    allow: false
  }
}

resource noScmPassword 'Microsoft.Web/sites/basicPublishingCredentialsPolicies@2024-04-01' = {
  parent: functionApp
  name: 'scm'
  properties: {
    allow: false
  }
}

output appName string = functionApp.name
output uri string = 'https://${functionApp.properties.defaultHostName}'
