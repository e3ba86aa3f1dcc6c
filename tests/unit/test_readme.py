"""The README's tables are those of the code and the template."""

import json
import re

from snapshot import __version__
from snapshot.aws import events
from snapshot.changes import Changes, JobChange, ShutdownChange
from snapshot.job import Job

from tests.benchmark import report
from tests.documents import README, TEMPLATE, section
from tests.integration import test_aws_faults, test_concurrency, test_delivery, test_faults, test_secrecy
from tests.sandbox.aws import ROOT
from tests.stack import test_permissions

DEVELOPERS = (ROOT / "functions/snapshot/README.md").read_text()


def table(*header: str, text: str = README) -> list[list[str]]:
    """The cells of the table with this header."""
    lines = iter(text.splitlines())
    assert f"| {' | '.join(header)} |" in lines
    next(lines)
    rows = []
    for line in lines:
        if not line.startswith("|"):
            break
        rows.append([cell.strip() for cell in line.strip("|").split(" | ")])
    return rows


def test_parameters() -> None:
    parameters = {
        f"`{name}`": (f"`{parameter['Default']}`" if parameter["Default"] != "" else "", parameter["Description"])
        for name, parameter in TEMPLATE["Parameters"].items()
    }
    assert {name: (default, what) for name, default, what in table("parameter", "default", "what")} == parameters


def test_parameters_are_grouped_and_constrained() -> None:
    groups = TEMPLATE["Metadata"]["AWS::CloudFormation::Interface"]["ParameterGroups"]
    assert [name for group in groups for name in group["Parameters"]] == list(TEMPLATE["Parameters"])
    assert len(TEMPLATE["Parameters"]) <= 12
    for name, parameter in TEMPLATE["Parameters"].items():
        assert "AllowedValues" in parameter or "ConstraintDescription" in parameter, name


def test_outputs_are_described() -> None:
    assert all(output["Description"] for output in TEMPLATE["Outputs"].values())


def test_columns() -> None:
    assert [name.strip("`") for name, _ in table("column", "what")] == list(Job._fields)


def test_metrics() -> None:
    code = (ROOT / "functions/snapshot/telemetry.py").read_text()
    emitted = {*re.findall(r'"(\w+)", MetricUnit\.(\w+)', code)} | {(name, "Count") for name in Changes().counts()}
    assert {(name.strip("`"), unit) for name, unit, _ in table("metric", "unit", "what")} == emitted


def test_alarms() -> None:
    (_, _, of_a_source), *_ = [value for key, value in TEMPLATE["Resources"].items() if key == "Fn::ForEach::Alarms"]
    alarms = {name.removesuffix("&{Source}"): alarm["Properties"] for name, alarm in of_a_source.items()}
    alarms["SnapshotErrors"] = TEMPLATE["Resources"]["SnapshotErrors"]["Properties"]
    rows = {name.strip("`"): when for name, when, _ in table("alarm", "goes into ALARM when", "what to do")}
    assert rows.keys() == alarms.keys()
    for name, when in rows.items():
        parameters = {str(alarms[name][key]) for key in ("Threshold", "EvaluationPeriods")} & TEMPLATE[
            "Parameters"
        ].keys()
        assert set(re.findall(r"`(\w+)`", when)) == parameters


def test_events() -> None:
    rows = {
        kind.strip("`"): re.findall(r"`(\w+)`", detail) for kind, _, detail in table("detail type", "when", "detail")
    }
    samples = [json.loads(path.read_text()) for path in (ROOT / "events/emitted").glob("*.json")]
    assert {sample["detail-type"]: list(sample["detail"]) for sample in samples} == rows
    job = JobChange(Job(*[""] * len(Job._fields)), "failed", None)
    shutdown = ShutdownChange("", "", "", [])
    context = events.EventContext("", "", "", "")
    assert rows == {
        events.JOB_CHANGED: list(events._job_detail(context, job)),
        events.SHUTDOWN_ANNOUNCED: list(events._shutdown_detail(context, shutdown)),
    }
    assert {sample["source"] for sample in samples} == {events.SOURCE}


def test_queries() -> None:
    queries = TEMPLATE["Mappings"]["SavedQueries"].values()
    assert [[query["Name"], query["Description"]] for query in queries] == table("query", "question")


def test_results_of_queries_go_after_a_week() -> None:
    resources = TEMPLATE["Resources"]
    folder = resources["Workgroup"]["Properties"]["WorkGroupConfiguration"]["ResultConfiguration"]["OutputLocation"]
    rules = resources["SnapshotBucket"]["Properties"]["LifecycleConfiguration"]["Rules"]
    days = {rule["Prefix"]: rule["ExpirationInDays"] for rule in rules if isinstance(rule, dict) and "Prefix" in rule}
    assert days[folder.removeprefix("s3://${SnapshotBucket}/")] == 7


def test_costs_add_up() -> None:
    *rows, (_, _, *totals) = table("what", "arithmetic", "every 15 minutes", "once a day")
    for column, (runs, hours) in enumerate([((4 * 24 + 1) * 30, 24), ((1 + 1) * 30, 2)]):
        amounts = [row[2 + column] for row in rows]
        for (what, arithmetic, *_), amount in zip(rows, amounts, strict=True):
            formula = re.sub(r" \(.*?\)|,", "", arithmetic).replace("×", "*")
            cost = eval(formula, {"runs": runs, "hours": hours})
            assert amount == f"{cost:.2f}", what
        assert totals[column].strip("*") == f"{sum(map(float, amounts)):.2f}"
    metrics, statuses = len(table("metric", "unit", "what")), 4  # the terminal ones, and one that is active
    assert rows[0][1].startswith(f"{metrics + statuses} ({metrics} and {statuses} statuses) × ")


def test_the_benchmark_is_the_last_one() -> None:
    assert report.BLOCK.findall(README) == report.BLOCK.findall(report.RESULTS.read_text()) != []


def test_make_targets_exist() -> None:
    targets = set(re.findall(r"^\.PHONY: (\w+)$", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"(?:`|\$ (?:\w+=\S+ )*)make ([a-z]+)", README)) <= targets


def test_the_way_of_the_data_names_every_module() -> None:
    files = " ".join(files for _, files in table("step", "file", text=DEVELOPERS))
    package = ROOT / "functions/snapshot"
    modules = {str(path.relative_to(package)) for path in package.rglob("*.py") if path.stat().st_size > 100}
    assert set(re.findall(r"`([\w/]+\.py)`", files)) == modules - {"__init__.py"}


def test_what_holds_an_addition_exists() -> None:
    paths = [
        path
        for *_, held in table("what", "where", "checked by", text=DEVELOPERS)
        for path in re.findall(r"`(tests/\S+)`", held)
    ]
    assert paths
    assert all((ROOT / path).exists() for path in paths)


def test_the_newest_change_is_this_version() -> None:
    newest = section("Changelog").strip().splitlines()[0]
    assert re.fullmatch(rf"- \*\*{re.escape(__version__)}\*\* \(\d{{4}}-\d\d-\d\d\): \w.*", newest)


def test_the_faults_tried_are_those_of_the_tests() -> None:
    times = [int(count.replace(",", "")) for _, count, _ in table("tried", "times", "lost, leaked or half-written")]
    assert times[:6] == [
        len(test_faults.PASSING) + len(test_faults.REFUSED),
        len(test_aws_faults.CALLS) * len(test_aws_faults.PASSING + test_aws_faults.LASTING),
        2 * test_delivery.AWS_CALLS,
        test_concurrency.RUNS,
        len(test_secrecy.KEYS) * len(test_secrecy.SITUATIONS),
        len(test_permissions.REFUSED),
    ]
