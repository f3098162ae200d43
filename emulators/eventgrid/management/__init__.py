"""Azure Resource Manager's face: Event Grid's resources over HTTP, in the shapes azure-mgmt-eventgrid expects.

`routes` is the table of all operations; `topics`, `systemtopics`, `topictypes` and `subscriptions` carry them out.
"""
