// An app's identity and exactly what it may do. Its role says which side of the service it runs:
// everything, commands (write container, publish), or views (read containers; the write container to read only).

param location string
param tags object
param identityName string
@allowed([
  'everything'
  'commands'
  'views'
])
param role string
param cosmosAccountName string
param databaseName string
param writeContainerName string
param readContainerNames array
param parkedContainerName string
param topicName string
param storageAccountName string
param insightsName string

var runsCommands = role != 'views'
var runsViews = role != 'commands'
var viewContainerNames = runsViews ? concat(readContainerNames, [parkedContainerName]) : []

// Cosmos DB's own data-plane roles
var dataReader = '00000000-0000-0000-0000-000000000001'
var dataContributor = '00000000-0000-0000-0000-000000000002'
// Views only read the write container, for the documented read-your-writes fallback.
var writeRole = runsCommands ? dataContributor : dataReader
// EventGrid Data Sender, Storage Blob Data Owner (the host's locks, the package), Monitoring Metrics Publisher
var eventSender = 'd5a91429-5739-47e2-a06b-3470a27159e7'
var blobOwner = 'b7e6dc6d-f1e8-4753-8033-0f276bb0955b'
var metricsPublisher = '3913510d-42f4-4e42-8a64-420c390055eb'

resource identity 'Microsoft.ManagedIdentity/userAssignedIdentities@2023-01-31' = {
  name: identityName
  location: location
  tags: tags
}

resource cosmosAccount 'Microsoft.DocumentDB/databaseAccounts@2024-11-15' existing = {
  name: cosmosAccountName
}

resource writeAccess 'Microsoft.DocumentDB/databaseAccounts/sqlRoleAssignments@2024-11-15' = {
  parent: cosmosAccount
  name: guid(cosmosAccount.id, identity.id, writeContainerName)
  properties: {
    roleDefinitionId: '${cosmosAccount.id}/sqlRoleDefinitions/${writeRole}'
    principalId: identity.properties.principalId
    scope: '${cosmosAccount.id}/dbs/${databaseName}/colls/${writeContainerName}'
  }
}

resource viewAccess 'Microsoft.DocumentDB/databaseAccounts/sqlRoleAssignments@2024-11-15' = [
  for containerName in viewContainerNames: {
    parent: cosmosAccount
    name: guid(cosmosAccount.id, identity.id, containerName)
    properties: {
      roleDefinitionId: '${cosmosAccount.id}/sqlRoleDefinitions/${dataContributor}'
      principalId: identity.properties.principalId
      scope: '${cosmosAccount.id}/dbs/${databaseName}/colls/${containerName}'
    }
  }
]

resource topic 'Microsoft.EventGrid/topics@2025-02-15' existing = {
  name: topicName
}

resource maySend 'Microsoft.Authorization/roleAssignments@2022-04-01' = if (runsCommands) {
  name: guid(topic.id, identity.id, eventSender)
  scope: topic
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', eventSender)
    principalId: identity.properties.principalId
    principalType: 'ServicePrincipal'
  }
}

resource storageAccount 'Microsoft.Storage/storageAccounts@2024-01-01' existing = {
  name: storageAccountName
}

resource mayUseStorage 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(storageAccount.id, identity.id, blobOwner)
  scope: storageAccount
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', blobOwner)
    principalId: identity.properties.principalId
    principalType: 'ServicePrincipal'
  }
}

resource insights 'Microsoft.Insights/components@2020-02-02' existing = {
  name: insightsName
}

resource mayTell 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(insights.id, identity.id, metricsPublisher)
  scope: insights
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', metricsPublisher)
    principalId: identity.properties.principalId
    principalType: 'ServicePrincipal'
  }
}

output identityId string = identity.id
output clientId string = identity.properties.clientId
