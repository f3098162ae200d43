// The order service on Azure: one resource group with everything in it. `azd up` deploys it (docs/DEPLOY.md).
// What must be the same here and on a laptop is compared with local/topology.toml by tests/infra.
//
// Written so that pycep, too, reads it: conditions are variables or in parentheses, and nothing comes from a registry.
targetScope = 'subscription'

@minLength(1)
@maxLength(40)
@description('Name of the environment; every resource is tagged with it.')
param environmentName string

@minLength(1)
@description('Region of all resources. It must offer Flex Consumption: az functionapp list-flexconsumption-locations')
@metadata({
  azd: {
    type: 'location'
  }
})
param location string

@description('How Cosmos DB is paid for: by request, or by the hour up to a ceiling per container.')
@allowed([
  'serverless'
  'autoscale'
])
param capacity string = 'serverless'

@description('The ceiling of one container in request units a second, when capacity is autoscale.')
@minValue(1000)
param maxThroughput int = 1000

@description('Further regions that Cosmos DB replicates to, for reads and failover, with commas between; autoscale only.')
param replicaLocations string = ''

@description('Commands in one app; projection and queries in a second one that scales apart.')
param splitApps bool = false

@description('Keep Cosmos DB, storage and publishing off the public network.')
param privateNetworking bool = false

@description('Whether the functions have been deployed: an event subscription needs its function. The postdeploy hook sets it.')
param functionsDeployed bool = false

@allowed([
  512
  2048
  4096
])
param instanceMemoryMB int = 2048

@minValue(1)
@maxValue(1000)
param maximumInstanceCount int = 100

@description('Instances that are always there for commands and queries; 0 lets the app scale to nothing.')
param alwaysReadyInstances int = 0

@minValue(1)
@maxValue(1000)
@description('Commands and queries that one instance works on at once.')
param httpConcurrency int = 32

@secure()
@minLength(16)
@description('Signs the continuation tokens of ListOrders. The preprovision hook makes one.')
param continuationTokenKey string

@description('Who runs operations (verify, rebuild, redrive) from a workstation: an object id, or empty for nobody.')
param principalId string = ''

@description('Where alerts are sent; empty leaves them in the portal.')
param alertEmail string = ''

var tags = {
  'azd-env-name': environmentName
}
var resourceToken = toLower(uniqueString(subscription().id, environmentName, location))

resource group 'Microsoft.Resources/resourceGroups@2024-03-01' = {
  name: 'rg-${environmentName}'
  location: location
  tags: tags
}

module monitoring 'monitoring.bicep' = {
  name: 'monitoring'
  scope: group
  params: {
    location: location
    tags: tags
    resourceToken: resourceToken
  }
}

module network 'network.bicep' = if (privateNetworking) {
  name: 'network'
  scope: group
  params: {
    location: location
    tags: tags
    resourceToken: resourceToken
  }
}

module cosmos 'cosmos.bicep' = {
  name: 'cosmos'
  scope: group
  params: {
    location: location
    tags: tags
    resourceToken: resourceToken
    capacity: capacity
    maxThroughput: maxThroughput
    replicaLocations: empty(replicaLocations) ? [] : split(replicaLocations, ',')
    privateNetworking: privateNetworking
  }
}

module storage 'storage.bicep' = {
  name: 'storage'
  scope: group
  params: {
    location: location
    tags: tags
    resourceToken: resourceToken
    privateNetworking: privateNetworking
  }
}

module events 'events.bicep' = {
  name: 'events'
  scope: group
  params: {
    location: location
    tags: tags
    resourceToken: resourceToken
    storageAccountName: storage.outputs.accountName
    deadLetterContainerName: storage.outputs.deadLetterContainerName
    privateNetworking: privateNetworking
  }
}

module cosmosEndpoint 'endpoint.bicep' = if (privateNetworking) {
  name: 'cosmos-endpoint'
  scope: group
  params: {
    location: location
    tags: tags
    networkName: network.outputs.networkName
    targetId: cosmos.outputs.accountId
    groupId: 'Sql'
    zoneName: 'privatelink.documents.azure.com'
  }
}

module blobEndpoint 'endpoint.bicep' = if (privateNetworking) {
  name: 'blob-endpoint'
  scope: group
  params: {
    location: location
    tags: tags
    networkName: network.outputs.networkName
    targetId: storage.outputs.accountId
    groupId: 'blob'
    zoneName: 'privatelink.blob.${environment().suffixes.storage}'
  }
}

module topicEndpoint 'endpoint.bicep' = if (privateNetworking) {
  name: 'topic-endpoint'
  scope: group
  params: {
    location: location
    tags: tags
    networkName: network.outputs.networkName
    targetId: events.outputs.topicId
    groupId: 'topic'
    zoneName: 'privatelink.eventgrid.azure.net'
  }
}

// The app's two sides. In one app, the first has both roles; the second exists only when they are split.
var firstRole = splitApps ? 'commands' : 'everything'

module ordersAccess 'access.bicep' = {
  name: 'orders-access'
  scope: group
  params: {
    location: location
    tags: tags
    identityName: 'id-orders-${resourceToken}'
    role: firstRole
    cosmosAccountName: cosmos.outputs.accountName
    databaseName: cosmos.outputs.databaseName
    writeContainerName: cosmos.outputs.writeContainerName
    readContainerNames: cosmos.outputs.readContainerNames
    parkedContainerName: cosmos.outputs.parkedContainerName
    topicName: events.outputs.topicName
    storageAccountName: storage.outputs.accountName
    insightsName: monitoring.outputs.insightsName
  }
}

module viewsAccess 'access.bicep' = if (splitApps) {
  name: 'views-access'
  scope: group
  params: {
    location: location
    tags: tags
    identityName: 'id-views-${resourceToken}'
    role: 'views'
    cosmosAccountName: cosmos.outputs.accountName
    databaseName: cosmos.outputs.databaseName
    writeContainerName: cosmos.outputs.writeContainerName
    readContainerNames: cosmos.outputs.readContainerNames
    parkedContainerName: cosmos.outputs.parkedContainerName
    topicName: events.outputs.topicName
    storageAccountName: storage.outputs.accountName
    insightsName: monitoring.outputs.insightsName
  }
}

module operatorAccess 'operator.bicep' = if (!empty(principalId)) {
  name: 'operator-access'
  scope: group
  params: {
    principalId: principalId
    cosmosAccountName: cosmos.outputs.accountName
    databaseName: cosmos.outputs.databaseName
    topicName: events.outputs.topicName
    storageAccountName: storage.outputs.accountName
  }
}

module orders 'app.bicep' = {
  name: 'orders'
  scope: group
  params: {
    location: location
    tags: union(tags, { 'azd-service-name': 'orders' })
    appName: 'func-orders-${resourceToken}'
    role: firstRole
    identityId: ordersAccess.outputs.identityId
    identityClientId: ordersAccess.outputs.clientId
    packageContainerName: storage.outputs.ordersPackageContainerName
    storageAccountName: storage.outputs.accountName
    insightsConnectionString: monitoring.outputs.connectionString
    cosmosEndpoint: cosmos.outputs.endpoint
    databaseName: cosmos.outputs.databaseName
    writeContainerName: cosmos.outputs.writeContainerName
    readContainerPrefix: cosmos.outputs.readContainerPrefix
    parkedContainerName: cosmos.outputs.parkedContainerName
    topicEndpoint: events.outputs.endpoint
    eventSchema: events.outputs.inputSchema
    continuationTokenKey: continuationTokenKey
    subnetId: privateNetworking ? network.outputs.appSubnetId : ''
    instanceMemoryMB: instanceMemoryMB
    maximumInstanceCount: maximumInstanceCount
    alwaysReadyInstances: alwaysReadyInstances
    httpConcurrency: httpConcurrency
  }
}

module views 'app.bicep' = if (splitApps) {
  name: 'views'
  scope: group
  params: {
    location: location
    tags: union(tags, { 'azd-service-name': 'views' })
    appName: 'func-views-${resourceToken}'
    role: 'views'
    identityId: splitApps ? viewsAccess.outputs.identityId : ''
    identityClientId: splitApps ? viewsAccess.outputs.clientId : ''
    packageContainerName: storage.outputs.viewsPackageContainerName
    storageAccountName: storage.outputs.accountName
    insightsConnectionString: monitoring.outputs.connectionString
    cosmosEndpoint: cosmos.outputs.endpoint
    databaseName: cosmos.outputs.databaseName
    writeContainerName: cosmos.outputs.writeContainerName
    readContainerPrefix: cosmos.outputs.readContainerPrefix
    parkedContainerName: cosmos.outputs.parkedContainerName
    topicEndpoint: events.outputs.endpoint
    eventSchema: events.outputs.inputSchema
    continuationTokenKey: continuationTokenKey
    subnetId: privateNetworking ? network.outputs.appSubnetId : ''
    instanceMemoryMB: instanceMemoryMB
    maximumInstanceCount: maximumInstanceCount
    alwaysReadyInstances: alwaysReadyInstances
    httpConcurrency: httpConcurrency
  }
}

module readModelSubscription 'subscription.bicep' = if (functionsDeployed) {
  name: 'read-model-subscription'
  scope: group
  params: {
    topicName: events.outputs.topicName
    functionAppName: splitApps ? views.outputs.appName : orders.outputs.appName
    storageAccountName: storage.outputs.accountName
    deadLetterContainerName: storage.outputs.deadLetterContainerName
  }
}

module alerts 'alerts.bicep' = {
  name: 'alerts'
  scope: group
  params: {
    location: location
    tags: tags
    alertEmail: alertEmail
    insightsId: monitoring.outputs.insightsId
    cosmosAccountId: cosmos.outputs.accountId
    topicId: events.outputs.topicId
  }
}

// What azd keeps in its environment, the hooks read, and an operator's settings are made of.
output AZURE_RESOURCE_GROUP string = group.name
output AZURE_LOCATION string = location
output SERVICE_ORDERS_NAME string = orders.outputs.appName
output SERVICE_ORDERS_URI string = orders.outputs.uri
output SERVICE_VIEWS_NAME string = splitApps ? views.outputs.appName : orders.outputs.appName
output SERVICE_VIEWS_URI string = splitApps ? views.outputs.uri : orders.outputs.uri
output ORDERS_TOPIC_NAME string = events.outputs.topicName
output ORDERS_STORAGE_ACCOUNT string = storage.outputs.accountName
output ORDERS_DEAD_LETTER_CONTAINER string = storage.outputs.deadLetterContainerName
output CosmosDBConnection__accountEndpoint string = cosmos.outputs.endpoint
output EventGridTopicEndpoint string = events.outputs.endpoint
output OrdersDatabase string = cosmos.outputs.databaseName
output OrdersWriteContainer string = cosmos.outputs.writeContainerName
output OrdersReadContainer string = cosmos.outputs.readContainerPrefix
output OrdersParkedContainer string = cosmos.outputs.parkedContainerName
output AzureWebJobsStorage__accountName string = storage.outputs.accountName
output OrdersDeadLetterContainer string = storage.outputs.deadLetterContainerName
