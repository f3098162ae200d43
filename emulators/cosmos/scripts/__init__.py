"""JavaScript inside the account: the engine (processes of its own, under limits) and what scripts see of Cosmos DB.

Knows neither HTTP nor the store: what a script asks for is handed out as `dialogue.Wanted` and answered from outside.
"""
