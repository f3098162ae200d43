// Cosmos DB: the write container, both generations of the read side, and parked events. No keys: identities only.
// Containers and indexing policies are those of local/topology.toml; tests/infra compares them.

param location string
param tags object
param resourceToken string
param capacity string
param maxThroughput int
param replicaLocations array
param privateNetworking bool

var isServerless = capacity == 'serverless'
var orderDatabase = 'orders'
var writeContainer = 'orders-write'
var readPrefix = 'orders-read'
var parkedContainer = 'orders-parked'

// Only an event that waits to be published has `pending`, so that index holds the relay's backlog alone. By orderId an
// operator reads all orders in turn (a partition key is not indexed by itself).
var writeIndexing = {
  indexingMode: 'consistent'
  automatic: true
  includedPaths: [
    { path: '/pending/?' }
    { path: '/orderId/?' }
  ]
  excludedPaths: [
    { path: '/*' }
  ]
}

// The composite index is what ListOrders sorts by.
var readIndexing = {
  indexingMode: 'consistent'
  automatic: true
  includedPaths: [
    { path: '/type/?' }
    { path: '/status/?' }
    { path: '/updatedAt/?' }
    { path: '/orderId/?' }
    { path: '/version/?' }
  ]
  excludedPaths: [
    { path: '/*' }
  ]
  compositeIndexes: [
    [
      { path: '/updatedAt', order: 'descending' }
      { path: '/orderId', order: 'descending' }
    ]
  ]
}

var parkedIndexing = {
  indexingMode: 'consistent'
  automatic: true
  includedPaths: [
    { path: '/type/?' }
    { path: '/parkedAt/?' }
  ]
  excludedPaths: [
    { path: '/*' }
  ]
}

// Data-plane roles cannot create containers, so a rebuild finds its next generation here.
var orderContainers = [
  { name: writeContainer, indexing: writeIndexing }
  { name: '${readPrefix}-1', indexing: readIndexing }
  { name: '${readPrefix}-2', indexing: readIndexing }
  { name: parkedContainer, indexing: parkedIndexing }
]

var primaryLocation = [
  {
    locationName: location
    failoverPriority: 0
    isZoneRedundant: false
  }
]
var replicas = [
  for (region, index) in replicaLocations: {
    locationName: region
    failoverPriority: index + 1
    isZoneRedundant: false
  }
]

resource account 'Microsoft.DocumentDB/databaseAccounts@2024-11-15' = {
  name: 'cosmos-${resourceToken}'
  location: location
  tags: tags
  kind: 'GlobalDocumentDB'
  properties: {
    databaseAccountOfferType: 'Standard'
    locations: concat(primaryLocation, replicas)
    consistencyPolicy: {
      defaultConsistencyLevel: 'Session'
    }
    capabilities: isServerless ? [{ name: 'EnableServerless' }] : []
    enableAutomaticFailover: !empty(replicaLocations)
    // One write region: versions and ETags order an order's events only as long as one region accepts writes.
    enableMultipleWriteLocations: false
    disableLocalAuth: true
    disableKeyBasedMetadataWriteAccess: true
    minimalTlsVersion: 'Tls12'
    publicNetworkAccess: privateNetworking ? 'Disabled' : 'Enabled'
    backupPolicy: {
      type: 'Continuous'
      continuousModeProperties: {
        tier: 'Continuous7Days'
      }
    }
  }
}

resource sqlDatabase 'Microsoft.DocumentDB/databaseAccounts/sqlDatabases@2024-11-15' = {
  parent: account
  name: orderDatabase
  properties: {
    resource: {
      id: orderDatabase
    }
  }
}

resource sqlContainers 'Microsoft.DocumentDB/databaseAccounts/sqlDatabases/containers@2024-11-15' = [
  for container in orderContainers: {
    parent: sqlDatabase
    name: container.name
    properties: {
      resource: {
        id: container.name
        partitionKey: {
          paths: [
            '/orderId'
          ]
          kind: 'Hash'
          version: 2
        }
        indexingPolicy: container.indexing
      }
      options: isServerless ? {} : { autoscaleSettings: { maxThroughput: maxThroughput } }
    }
  }
]

output accountId string = account.id
output accountName string = account.name
output endpoint string = account.properties.documentEndpoint
output databaseName string = orderDatabase
output writeContainerName string = writeContainer
output readContainerPrefix string = readPrefix
output readContainerNames array = [
  '${readPrefix}-1'
  '${readPrefix}-2'
]
output parkedContainerName string = parkedContainer
