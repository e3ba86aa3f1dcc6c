"""The documents' tables are true to the code and the template, and their links work."""

import dataclasses
import json
import re
from pathlib import Path

import pytest
from operations import deploy
from snapshot import __version__, credentials
from snapshot.aws import events
from snapshot.changes import Changes, JobChange, ShutdownChange
from snapshot.credentials import MUST_HOLD, Credentials
from snapshot.job import Job
from snapshot.settings import Run
from snapshot.statuses import KNOWN_STATUSES
from snapshot.summary import SkippedSummary, Summary

from tests.benchmark import report
from tests.documents import EVENTS, FUNCTION, OPERATIONS, SERVERS, TEMPLATE, TESTS, documents, examples, section, table
from tests.sandbox.aws import ROOT

of_each_document = pytest.mark.parametrize("document", documents(), ids=lambda path: str(path.relative_to(ROOT)))


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


def test_privacy_says_what_each_column_can_hold() -> None:
    named = re.findall(r"`(\w+)`", section("Privacy", ROOT / ".github" / "SECURITY.md"))
    assert sorted(named) == sorted(Job._fields)


def test_metrics() -> None:
    code = (ROOT / "functions/snapshot/telemetry.py").read_text()
    emitted = {*re.findall(r'"(\w+)", MetricUnit\.(\w+)', code)} | {(name, "Count") for name in Changes().counts()}
    assert {(name.strip("`"), unit) for name, unit, _ in table("metric", "unit", "what")} == emitted
    shown = re.findall(r'\\"(\w+)\\"', json.dumps(TEMPLATE["Resources"]["Dashboard"]))
    assert {name for name, _ in emitted} <= {*shown}


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


def test_sent_events() -> None:
    rows = {
        kind.strip("`"): re.findall(r"`(\w+)`", detail)
        for kind, _, detail in table("detail type", "when", "detail", document=EVENTS)
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


def test_received_events() -> None:
    assert [name.strip("`") for name, _ in table("event field", "what", document=EVENTS)] == list(Run.__annotations__)
    files = {f"`{path.name}{'/' * path.is_dir()}`" for path in EVENTS.parent.iterdir() if path != EVENTS}
    assert {name for name, _ in table("file", "what it is", document=EVENTS)} == files


def test_summaries() -> None:
    for kind, header in ((Summary, "summary"), (SkippedSummary, "skipped summary")):
        fields = [name.strip("`") for name, _ in table(header, "what", document=EVENTS)]
        assert fields == list(kind.__annotations__), header


def test_fields_of_a_secret() -> None:
    fields = [name.strip("`") for name, _ in table("field", "what", document=SERVERS)]
    assert sorted(fields) == sorted(field.name for field in dataclasses.fields(Credentials))
    samples = examples(SERVERS.read_text(), "json")
    shown = {name for sample in samples for name in json.loads(sample)}
    assert shown | {"paging"} == {*fields}
    assert {*re.findall(r'"(\w+)"', MUST_HOLD)} == {*fields}


def test_samples_of_secrets_are_accepted() -> None:
    samples = examples(SERVERS.read_text(), "json")
    header = ("server", "`base_url`", "also in the secret", "known limitations", "tested with")
    for _, base_url, more, *_ in table(*header, document=SERVERS):
        address = base_url.strip("`") if base_url.startswith("`") else "https://example.com/v1"
        fields = ['"api_key": "…"', f'"base_url": "{address}"', *re.findall('`(".+?)`', more)]
        samples.append(f"{{{', '.join(fields)}}}")
    for sample in samples:
        assert credentials.parse("test", sample.replace("…", "x"), "")


def test_queries() -> None:
    queries = TEMPLATE["Mappings"]["SavedQueries"].values()
    assert [[query["Name"], query["Description"]] for query in queries] == table("query", "question")


def test_query_results_expire_after_a_week() -> None:
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
    alarms = len(table("alarm", "goes into ALARM when", "what to do")) - 1  # one belongs to the stack
    assert rows[1][1] == f"{alarms} × 0.10"
    metrics, statuses = len(table("metric", "unit", "what")), 4  # the terminal ones, and an active one
    assert rows[0][1].startswith(f"{metrics + statuses} ({metrics} and {statuses} statuses) × ")


def test_limits() -> None:
    resources = TEMPLATE["Resources"]
    loops = [resources[name] for name in resources if name.startswith("Fn::ForEach")]
    of_a_source = sum(len(body) for _, over, body in loops if over == "Sources")
    others = len(resources) - len(loops) + sum(len(over) for _, over, _ in loops if isinstance(over, list))
    others += 1  # SAM creates a resource for EventInvokeConfig
    where = {limit: text for limit, text, _ in table("limit", "where", "what to do", document=OPERATIONS)}
    assert where["500 resources in a stack"] == f"{(500 - others) // of_a_source} sources"
    statuses = len(KNOWN_STATUSES)
    graph = f"{500 // statuses} sources, if each has jobs in all {statuses} statuses"
    assert where["500 lines in a graph of CloudWatch"] == graph
    assert where["Length of a stack's name"] == f"{deploy._LONGEST_NAME} characters"


def test_documented_benchmark_is_in_the_results() -> None:
    assert report.BLOCK.findall(TESTS.read_text()) == report.BLOCK.findall(report.RESULTS.read_text()) != []


def test_data_flow_names_every_module() -> None:
    files = " ".join(files for _, files in table("step", "file", document=FUNCTION))
    package = FUNCTION.parent
    modules = {str(path.relative_to(package)) for path in package.rglob("*.py") if path.stat().st_size > 100}
    assert set(re.findall(r"`([\w/]+\.py)`", files)) == modules - {"__init__.py"}


def test_folders_of_the_tests() -> None:
    folders = {f"`{path.name}/`" for path in TESTS.parent.iterdir() if (path / "__init__.py").exists()}
    described = {name for name, _ in table("folder", "what it tests", document=TESTS)}
    assert described == folders | {"`scanners/`"}


@of_each_document
def test_link_works(document: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", prose(document)):
        if not target.startswith("https://"):
            name, _, anchor = target.partition("#")
            path = (document.parent / name).resolve() if name else document
            assert path.exists(), target
            assert not anchor or anchor in anchors(path), target


@of_each_document
def test_path_in_the_text_exists(document: Path) -> None:
    for name in re.findall(r"`((?:functions|tests|events|\.github)/[\w./-]+)`", prose(document)):
        assert (ROOT / name).exists(), name


@of_each_document
def test_make_target_exists(document: Path) -> None:
    targets = set(re.findall(r"^\.PHONY: (\w+)$", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"(?:`|\$ )(?:\w+=\S+ )*make\s([a-z]+)", document.read_text())) <= targets


def prose(document: Path) -> str:
    """Return the text of a document without its code blocks."""
    return re.sub(r"^```.*?^```$", "", document.read_text(), flags=re.MULTILINE | re.DOTALL)


def anchors(document: Path) -> set[str]:
    """Return the anchors that GitHub makes for the headings of a document."""
    headings = re.findall(r"^#+ (.+)$", prose(document), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_every_example_is_run_by_a_test() -> None:
    languages = ("bash", "console", "json", "python", "sql")
    found = {
        str(document.relative_to(ROOT)): {
            language: count for language in languages if (count := len(examples(document.read_text(), language)))
        }
        for document in documents()
    }
    # A new code block needs a test, mostly in tests/stack.
    assert {name: counts for name, counts in found.items() if counts} == {
        "README.md": {"bash": 3, "console": 3, "python": 1},
        "events/README.md": {"json": 2},
        "functions/operations/README.md": {"bash": 8, "json": 1, "sql": 2},
        "functions/snapshot/api/README.md": {"json": 2},
    }


def test_changelog_begins_with_this_version() -> None:
    newest = section("Changelog").strip().splitlines()[0]
    assert re.fullmatch(rf"- \*\*{re.escape(__version__)}\*\* \(\d{{4}}-\d\d-\d\d\): \w.*", newest)
