// One storage account without shared keys: the host's own state, deployment packages, dead letters.

param location string
param tags object
param resourceToken string
param privateNetworking bool

var deadLetters = 'dead-letters'
var ordersPackages = 'package-orders'
var viewsPackages = 'package-views'
var blobContainerNames = [
  deadLetters
  ordersPackages
  viewsPackages
]

resource account 'Microsoft.Storage/storageAccounts@2024-01-01' = {
  name: 'st${resourceToken}'
  location: location
  tags: tags
  kind: 'StorageV2'
  sku: {
    name: 'Standard_LRS'
  }
  properties: {
    accessTier: 'Hot'
    allowBlobPublicAccess: false
    allowSharedKeyAccess: false
    allowCrossTenantReplication: false
    defaultToOAuthAuthentication: true
    minimumTlsVersion: 'TLS1_2'
    supportsHttpsTrafficOnly: true
    publicNetworkAccess: 'Enabled'
    networkAcls: {
      // Event Grid writes dead letters as a trusted service with its own identity.
      bypass: 'AzureServices'
      defaultAction: privateNetworking ? 'Deny' : 'Allow'
    }
  }
}

resource blobs 'Microsoft.Storage/storageAccounts/blobServices@2024-01-01' = {
  parent: account
  name: 'default'
  properties: {
    deleteRetentionPolicy: {
      enabled: true
      days: 7
    }
  }
}

resource blobContainers 'Microsoft.Storage/storageAccounts/blobServices/containers@2024-01-01' = [
  for containerName in blobContainerNames: {
    parent: blobs
    name: containerName
    properties: {
      publicAccess: 'None'
    }
  }
]

output accountId string = account.id
output accountName string = account.name
output deadLetterContainerName string = deadLetters
output ordersPackageContainerName string = ordersPackages
output viewsPackageContainerName string = viewsPackages
