"""Keeps a second container up to date with a first: each changed product becomes a row of a price list."""

import logging

import azure.functions as func

app = func.FunctionApp()


@app.cosmos_db_trigger(
    arg_name="products",
    connection="Shop",
    database_name="shop",
    container_name="products",
    lease_container_name="leases",
    create_lease_container_if_not_exists=True,
)
@app.cosmos_db_output(
    arg_name="prices",
    connection="Shop",
    database_name="shop",
    container_name="prices",
    create_if_not_exists=True,
    partition_key="/id",
)
def project_prices(products: func.DocumentList, prices: func.Out[func.DocumentList]) -> None:
    """Write the price of every product that has changed."""
    logging.info("%s products have changed", len(products))
    prices.set(func.DocumentList([func.Document.from_dict({"id": p["id"], "price": p["price"]}) for p in products]))
