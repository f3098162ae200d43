// What a person needs to run `python -m operations` from a workstation: data of the database, dead letters, publishing.

param principalId string
param cosmosAccountName string
param databaseName string
param topicName string
param storageAccountName string

// Cosmos DB Built-in Data Contributor, EventGrid Data Sender, Storage Blob Data Contributor
var dataContributor = '00000000-0000-0000-0000-000000000002'
var eventSender = 'd5a91429-5739-47e2-a06b-3470a27159e7'
var blobContributor = 'ba92f5b4-2d11-453d-a403-e96b0029c9fe'

resource cosmosAccount 'Microsoft.DocumentDB/databaseAccounts@2024-11-15' existing = {
  name: cosmosAccountName
}

resource dataAccess 'Microsoft.DocumentDB/databaseAccounts/sqlRoleAssignments@2024-11-15' = {
  parent: cosmosAccount
  name: guid(cosmosAccount.id, principalId, databaseName)
  properties: {
    roleDefinitionId: '${cosmosAccount.id}/sqlRoleDefinitions/${dataContributor}'
    principalId: principalId
    scope: '${cosmosAccount.id}/dbs/${databaseName}'
  }
}

resource topic 'Microsoft.EventGrid/topics@2025-02-15' existing = {
  name: topicName
}

resource maySend 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(topic.id, principalId, eventSender)
  scope: topic
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', eventSender)
    principalId: principalId
  }
}

resource storageAccount 'Microsoft.Storage/storageAccounts@2024-01-01' existing = {
  name: storageAccountName
}

resource mayReadDeadLetters 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(storageAccount.id, principalId, blobContributor)
  scope: storageAccount
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', blobContributor)
    principalId: principalId
  }
}
