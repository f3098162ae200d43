// What somebody should look at: events that are not published, not projected, parked, dead-lettered, or throttled away.
// The names of metrics are those of order_telemetry/signals.py and of Azure's own metrics.

param location string
param tags object
param alertEmail string
param insightsId string
param cosmosAccountId string
param topicId string

var sendsMail = !empty(alertEmail)
var receivers = sendsMail ? [{ name: 'operator', emailAddress: alertEmail, useCommonAlertSchema: true }] : []

resource operators 'Microsoft.Insights/actionGroups@2023-01-01' = {
  name: 'ag-orders'
  location: 'global'
  tags: tags
  properties: {
    groupShortName: 'orders'
    enabled: true
    emailReceivers: receivers
  }
}

var telemetryAlerts = [
  {
    name: 'orders-pending-age'
    description: 'An event has waited longer than two minutes to be published: Event Grid is away, or the relay is.'
    metric: 'orders.events.pending_age'
    aggregation: 'max(valueMax)'
    threshold: 120
    severity: 1
  }
  {
    name: 'orders-projection-lag'
    description: 'An event took longer than a minute from its moment into the views.'
    metric: 'orders.projection.lag'
    aggregation: 'max(valueMax)'
    threshold: 60
    severity: 2
  }
  {
    name: 'orders-parked'
    description: 'Events that can never be applied were set aside: python -m operations says which and why.'
    metric: 'orders.events.parked'
    aggregation: 'sum(valueSum)'
    threshold: 0
    severity: 2
  }
]

resource telemetryRules 'Microsoft.Insights/scheduledQueryRules@2023-12-01' = [
  for rule in telemetryAlerts: {
    name: rule.name
    location: location
    tags: tags
    kind: 'LogAlert'
    properties: {
      displayName: rule.name
      description: rule.description
      severity: rule.severity
      enabled: true
      scopes: [
        insightsId
      ]
      evaluationFrequency: 'PT5M'
      windowSize: 'PT5M'
      autoMitigate: true
      criteria: {
        allOf: [
          {
            query: 'customMetrics | where name == "${rule.metric}" | summarize measured = ${rule.aggregation}'
            timeAggregation: 'Maximum'
            metricMeasureColumn: 'measured'
            operator: 'GreaterThan'
            threshold: rule.threshold
            failingPeriods: {
              numberOfEvaluationPeriods: 1
              minFailingPeriodsToAlert: 1
            }
          }
        ]
      }
      actions: {
        actionGroups: [
          operators.id
        ]
      }
    }
  }
]

resource deadLetters 'Microsoft.Insights/metricAlerts@2018-03-01' = {
  name: 'orders-dead-letters'
  location: 'global'
  tags: tags
  properties: {
    description: 'Event Grid gave events up: python -m operations redrive brings them back.'
    severity: 1
    enabled: true
    scopes: [
      topicId
    ]
    evaluationFrequency: 'PT5M'
    windowSize: 'PT15M'
    autoMitigate: true
    criteria: {
      'odata.type': 'Microsoft.Azure.Monitor.SingleResourceMultipleMetricCriteria'
      allOf: [
        {
          criterionType: 'StaticThresholdCriterion'
          name: 'dead-lettered'
          metricNamespace: 'Microsoft.EventGrid/topics'
          metricName: 'DeadLetteredCount'
          timeAggregation: 'Total'
          operator: 'GreaterThan'
          threshold: 0
        }
      ]
    }
    actions: [
      {
        actionGroupId: operators.id
      }
    ]
  }
}

resource throttled 'Microsoft.Insights/metricAlerts@2018-03-01' = {
  name: 'orders-throttled'
  location: 'global'
  tags: tags
  properties: {
    description: 'Cosmos DB answered 429 more than a hundred times in five minutes: raise the ceiling, or look for a hot order.'
    severity: 2
    enabled: true
    scopes: [
      cosmosAccountId
    ]
    evaluationFrequency: 'PT5M'
    windowSize: 'PT5M'
    autoMitigate: true
    criteria: {
      'odata.type': 'Microsoft.Azure.Monitor.SingleResourceMultipleMetricCriteria'
      allOf: [
        {
          criterionType: 'StaticThresholdCriterion'
          name: 'throttled-requests'
          metricNamespace: 'Microsoft.DocumentDB/databaseAccounts'
          metricName: 'TotalRequests'
          timeAggregation: 'Count'
          operator: 'GreaterThan'
          threshold: 100
          dimensions: [
            {
              name: 'StatusCode'
              operator: 'Include'
              values: [
                '429'
              ]
            }
          ]
        }
      ]
    }
    actions: [
      {
        actionGroupId: operators.id
      }
    ]
  }
}
