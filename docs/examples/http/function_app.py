"""A greeting over HTTP: by query or by JSON body."""

import logging

import azure.functions as func

app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)


@app.route(route="greet", methods=["GET", "POST"])
def greet(req: func.HttpRequest) -> func.HttpResponse:
    """Greet whoever is named."""
    name = req.params.get("name")
    if not name and req.get_body():
        try:
            name = req.get_json().get("name")
        except ValueError:
            return func.HttpResponse("The body is not JSON.", status_code=400)
    if not name:
        return func.HttpResponse("Say who you are: ?name=… or a JSON body.", status_code=400)
    logging.info("Greeting %s", name)
    return func.HttpResponse(f"Hello, {name}.")
