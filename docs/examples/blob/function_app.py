"""Text files that are uploaded get a word count beside them."""

import azure.functions as func

app = func.FunctionApp()


@app.blob_trigger(arg_name="text", path="texts/{name}.txt", connection="AzureWebJobsStorage")
@app.blob_output(arg_name="count", path="counts/{name}.txt", connection="AzureWebJobsStorage")
def count_words(text: func.InputStream, count: func.Out[str]) -> None:
    """Write how many words a text has."""
    count.set(str(len(text.read().split())))
