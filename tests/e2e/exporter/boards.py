"""The expressions of Grafana's boards, with their variables replaced as Grafana does."""

import json
import re

from lab import ROOT, WORK, promtool

BOARDS = sorted((ROOT / "grafana").glob("*.json"))


def panels(board):
    for panel in board["panels"]:
        yield from panel["panels"] if panel["type"] == "row" else [panel]


def expressions(board, values):
    """(panel's title, [expressions])"""
    for panel in panels(board):
        yield panel["title"], [replaced(target["expr"], values) for target in panel["targets"]]


def replaced(expression, values):
    for name, value in values.items():
        expression = expression.replace(f"${name}", value).replace("${" + name + "}", value)
    assert "$" not in expression, f"a variable is left: {expression}"
    return expression


def read(file):
    return json.loads(file.read_text())


def variables(board):
    """(name, the query of its values)"""
    return [(v["name"], v["query"]["query"]) for v in board["templating"]["list"] if v["type"] == "query"]


def parse(expressions):
    """promtool reads every expression."""
    rules = [{"record": f"e{number}", "expr": expression} for number, expression in enumerate(expressions)]
    file = WORK / "expressions.yml"
    file.write_text(json.dumps({"groups": [{"name": "boards", "rules": rules}]}))
    promtool("check", "rules", file)


def rates_fit_the_window(board):
    """Each rate of a graph has a window that Grafana fits to the step, or one that is meant."""
    for panel in panels(board):
        for target in panel["targets"]:
            for window in re.findall(r"\[([^\]]+)\]", target["expr"]):
                assert window in ("$__rate_interval", "$__range", "1h"), f"{panel['title']}: {window}"
