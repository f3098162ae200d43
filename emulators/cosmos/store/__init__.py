"""What the emulator keeps: resources and documents in one SQLite file. The only room with SQL against SQLite.

`catalog` holds everything but documents (databases, containers, users, scripts, offers), `documents` the documents,
`rid` how resource ids are made. Knows neither HTTP nor the query language. For readers of documents (queries, change
feed) the interface is `documents.scan`; see its docstring.
"""
