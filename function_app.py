"""The function app: the write side and the read side, which meet nowhere but in `order_events`, and their contract."""

import azure.functions as func

from order_contract.blueprint import blueprint as contract
from update_order_status.blueprint import blueprint as write_side
from update_order_status_read_model.blueprint import blueprint as read_side

app = func.FunctionApp(http_auth_level=func.AuthLevel.FUNCTION)
app.register_functions(write_side)
app.register_functions(read_side)
app.register_functions(contract)
