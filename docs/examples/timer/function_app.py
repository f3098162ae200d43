"""A report every weekday morning; late ones say so."""

import logging

import azure.functions as func

app = func.FunctionApp()


@app.timer_trigger(arg_name="timer", schedule="%ReportSchedule%", use_monitor=False)
def morning_report(timer: func.TimerRequest) -> None:
    """Write the report."""
    logging.info("The report is %s", "late" if timer.past_due else "on time")
