"""Asks Prometheus for the test of the dashboard and the alerts.

usage: monitoring.py URL query EXPRESSION        exits with 0 if it has a result
       monitoring.py URL panels DASHBOARD.json   waits until every query of every panel has a result; prints those without
       monitoring.py URL firing ALERT INSTANCE   exits with 0 if the alert fires for it
"""
import json
import sys
import time
import urllib.error
import urllib.parse
import urllib.request

DEADLINE_SECONDS = 120


def ask(base, path, **parameters):
    url = base + path + "?" + urllib.parse.urlencode(parameters)
    try:
        with urllib.request.urlopen(url, timeout=30) as response:
            answer = json.load(response)
    except urllib.error.HTTPError as error:
        sys.exit(f"{parameters}: {error.read().decode()}")
    return answer["data"]


def result(base, expression):
    return ask(base, "/api/v1/query", query=expression)["result"]


def plain(expression):
    """As Grafana sends it: with the variables of the dashboard replaced."""
    for name, value in (("$__rate_interval", "10s"), ("$job", "sse-server"), ("$instance", ".*"), ("$service", ".*")):
        expression = expression.replace(name, value)
    assert "$" not in expression, expression
    return expression


def panels(base, dashboard):
    queries = {}
    count = 0
    for panel in dashboard["panels"]:
        if panel["type"] == "row":
            continue
        count += 1
        assert panel["targets"], panel["title"]
        for target in panel["targets"]:
            queries[(panel["title"], target["legendFormat"])] = plain(target["expr"])
    for variable in dashboard["templating"]["list"]:
        if variable["type"] == "query":
            metric, label = variable["definition"].removeprefix("label_values(").removesuffix(")").rsplit(", ", 1)
            queries[("variable", variable["name"])] = f"count by ({label}) ({plain(metric)})"
    deadline = time.monotonic() + DEADLINE_SECONDS
    while queries and time.monotonic() < deadline:
        # A rate over a bucket that nothing falls into is NaN.
        queries = {name: query for name, query in queries.items()
                   if not any(series["value"][1] != "NaN" for series in result(base, query))}
        time.sleep(0.2)
    for (title, legend), query in queries.items():
        print(f"{title} ({legend}): {query}")
    if queries:
        sys.exit(1)
    print(f"{count} panels have data")


def main():
    base, command = sys.argv[1:3]
    if command == "query":
        sys.exit(not result(base, sys.argv[3]))
    if command == "panels":
        with open(sys.argv[3], encoding="utf-8") as file:
            panels(base, json.load(file))
    elif command == "firing":
        alerts = ask(base, "/api/v1/alerts")["alerts"]
        sys.exit(not any(alert["labels"]["alertname"] == sys.argv[3] and alert["labels"]["instance"] == sys.argv[4]
                         and alert["state"] == "firing" for alert in alerts))


main()
