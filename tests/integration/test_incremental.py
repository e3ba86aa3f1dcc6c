"""An incremental listing, which carries over unread lines, gives the same table as a full one."""

from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, precondition, rule
from snapshot import changes, table
from snapshot.api.client import Client
from snapshot.credentials import Credentials
from snapshot.deadline import Deadline
from snapshot.errors import OutOfTimeError
from snapshot.listing import Listing, list_jobs
from snapshot.reading import MAX_RETRIEVED
from snapshot.statuses import TERMINAL
from snapshot.table import Line

from tests.fuzz import examples
from tests.integration.deployment import Deployment
from tests.samples import at, payload
from tests.sandbox import api_faults, simulated_jobs
from tests.sandbox.api import Fault, SimulatedApi
from tests.sandbox.dialects import Dialect
from tests.sandbox.queues import Queue

STATUSES = (*TERMINAL, "validating_files", "queued", "running", "paused", "melting")


def listed(client: Client, previous: list[Line]) -> Listing:
    """Return an incremental listing, after comparing it with a full one with read-ahead, and that with one without."""
    incremental = list_jobs(client, previous, full=False)
    full = list_jobs(client, previous, full=True).lines
    assert incremental.lines == full
    in_turn = list_jobs(client, [], full=True).lines
    assert [(table.job_id(line), table.status(line)) for line in full] == [
        (table.job_id(line), table.status(line)) for line in in_turn
    ]
    return incremental


class Histories(RuleBasedStateMachine):
    """Any number of jobs are created, changed and removed between two listings, in any order."""

    jobs = Bundle("jobs")

    def __init__(self) -> None:
        super().__init__()
        # Without events, which would be most of the requests.
        self.api = SimulatedApi([], dialect=Dialect(gives_events=False)).__enter__()
        self.client = Client(Credentials(self.api.key, self.api.base_url), Deadline.after(600))
        self.previous: list[Line] = []
        self.clock = 1000
        self.count = 0

    def teardown(self) -> None:
        self.api.__exit__()

    @initialize(cap=st.sampled_from([1, 6, 20, 25, 60]), count=st.integers(0, 70), has_more=st.booleans())
    def begin(self, cap: int, count: int, has_more: bool) -> None:
        self.api.largest_page = cap
        self.api.tells_has_more = has_more
        for _ in range(count):
            self.create("succeeded", 1, 0)

    @rule(status=st.sampled_from(STATUSES), seconds=st.sampled_from([0, 0, 1]), place=st.integers(0, 3))
    def create(self, status: str, seconds: int, place: int) -> None:
        """Create the newest job, anywhere among the jobs of the same second."""
        self.clock += seconds
        self.count += 1
        job = payload(self.count, created_at=self.clock, status=status, finished_at=None)
        same = sum(other["created_at"] == self.clock for other in self.api.jobs)
        jobs = list(self.api.jobs)
        jobs.insert(min(place, same), job)
        self.api.jobs = jobs

    @rule(count=st.integers(1, 40), status=st.sampled_from(STATUSES))
    def create_many(self, count: int, status: str) -> None:
        for _ in range(count):
            self.create(status, 1, 0)

    @precondition(lambda self: self.unfinished())
    @rule(number=st.integers(0), status=st.sampled_from(STATUSES))
    def change(self, number: int, status: str) -> None:
        """Change any job that has not ended."""
        places = self.unfinished()
        jobs = list(self.api.jobs)
        place = places[number % len(places)]
        jobs[place] = jobs[place] | {"status": status, "finished_at": self.clock if status in TERMINAL else None}
        self.api.jobs = jobs

    @precondition(lambda self: self.removable())
    @rule(number=st.integers(0))
    def remove(self, number: int) -> None:
        places = self.removable()
        jobs = list(self.api.jobs)
        removed = jobs.pop(places[number % len(places)])
        self.api.jobs = jobs
        if removed["status"] in TERMINAL:
            self.take_a_listing()  # before newer jobs push its place out of the first page

    @rule()
    def take_a_listing(self) -> None:
        self.previous = listed(self.client, self.previous).lines

    def unfinished(self) -> list[int]:
        return [place for place, job in enumerate(self.api.jobs) if job["status"] not in TERMINAL]

    def removable(self) -> list[int]:
        """Return the places of unfinished jobs, and of ended ones on the first page.

        Further down only a full listing notices that an ended job was removed.
        """
        first_page = min(self.api.largest_page, len(self.api.jobs))
        if not self.api.tells_has_more and first_page == len(self.api.jobs):
            first_page -= 1  # nothing shows that the page without the oldest job is the last one
        return [*range(first_page), *(place for place in self.unfinished() if place >= first_page)]


TestHistories = Histories.TestCase
TestHistories.settings = settings(
    max_examples=examples(10), stateful_step_count=25, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)


def pages_read(api: SimulatedApi) -> int:
    return sum("/fine_tuning/jobs?" in path for path in api.requests)


@pytest.fixture
def history(api: SimulatedApi, client: Client) -> list[Line]:
    """The table of 1,000 ended jobs; the requests of its listing are not counted."""
    jobs = simulated_jobs.new_jobs(1001, api.now)
    api.jobs = jobs[1:]
    lines = list_jobs(client, [], full=True).lines
    api.requests.clear()
    return lines


def test_unchanged_account_costs_one_page(api: SimulatedApi, client: Client, history: list[Line]) -> None:
    listing = list_jobs(client, history, full=False)
    assert listing.lines == history
    assert not listing.full
    assert sorted(api.requests) == ["/v1/fine_tuning/jobs?limit=100", "/v1/models"]
    assert all(line is before for line, before in zip(listing.lines, history, strict=True))  # the same objects


@pytest.mark.parametrize(("new", "pages"), [(80, 1), (81, 2), (180, 2), (181, 3)])
def test_pages_read_grow_with_new_jobs(
    new: int, pages: int, api: SimulatedApi, client: Client, history: list[Line]
) -> None:
    now = int(api.now)
    api.jobs = [payload(number, created_at=now + number) for number in range(new, 0, -1)] + api.jobs
    listing = list_jobs(client, history, full=False)
    assert len(listing.lines) == 1000 + new
    assert pages_read(api) == pages


def test_unfinished_jobs_below_are_retrieved_one_by_one(api: SimulatedApi, client: Client) -> None:
    jobs = [payload(number) for number in range(400, 0, -1)]
    for place in (150, 250, 399):
        jobs[place] = jobs[place] | {"status": "paused", "finished_at": None}
    api.jobs = jobs
    before = list_jobs(client, [], full=True).lines
    api.jobs = [*jobs[:250], jobs[250] | {"status": "failed", "finished_at": 1_760_009_999}, *jobs[251:]]
    api.requests.clear()
    listing = list_jobs(client, before, full=False)
    assert pages_read(api) == 1
    retrieved = {path for path in api.requests if path.removeprefix("/v1/fine_tuning/jobs/").startswith("ftjob-")}
    assert {path.split("/")[4] for path in retrieved} == {jobs[place]["id"] for place in (150, 250, 399)}
    assert table.from_line(listing.lines[250]).status == "failed"
    assert not listing.full


def test_retrieved_job_with_an_error_object_is_accepted(api: SimulatedApi, client: Client) -> None:
    jobs = [payload(number) for number in range(200, 0, -1)]
    jobs[150] = jobs[150] | {"status": "running", "finished_at": None}
    api.jobs = jobs
    before = list_jobs(client, [], full=True).lines
    failed = jobs[150] | {"status": "failed", "error": {"code": "c", "message": "m"}}
    api.jobs = [*jobs[:150], failed, *jobs[151:]]
    listing = list_jobs(client, before, full=False)
    assert not listing.full
    assert table.from_line(listing.lines[150]).error == "c: m"


@pytest.mark.parametrize("unfinished", [MAX_RETRIEVED, MAX_RETRIEVED + 1])
def test_many_unfinished_jobs_below_are_listed_instead_of_retrieved(
    unfinished: int, api: SimulatedApi, client: Client
) -> None:
    jobs = [payload(number) for number in range(500, 0, -1)]
    jobs[300 : 300 + unfinished] = [job | {"status": "queued"} for job in jobs[300 : 300 + unfinished]]
    api.jobs = jobs
    before = list_jobs(client, [], full=True).lines
    api.requests.clear()
    list_jobs(client, before, full=False)
    assert pages_read(api) == (1 if unfinished <= MAX_RETRIEVED else 4)


def test_removed_job_below_leads_to_a_full_listing(api: SimulatedApi, client: Client) -> None:
    jobs = [payload(number) for number in range(400, 0, -1)]
    jobs[300] = jobs[300] | {"status": "running"}
    api.jobs = jobs
    before = list_jobs(client, [], full=True).lines
    api.jobs = jobs[:200] + jobs[210:300] + jobs[301:]  # ended jobs were removed too, which alone would not be noticed
    listing = listed(client, before)
    assert listing.full
    assert len(listing.lines) == 389


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 410, 422])
def test_server_that_refuses_single_jobs_is_listed_in_full(status: int, api: SimulatedApi, client: Client) -> None:
    jobs = [payload(number) for number in range(300, 0, -1)]
    jobs[250] = jobs[250] | {"status": "running"}
    api.jobs = jobs
    before = list_jobs(client, [], full=True).lines
    api.faults = [Fault(jobs[250]["id"], api_faults.status(status, "No."))]
    listing = list_jobs(client, before, full=False)
    assert (listing.lines, listing.full) == (before, True)


@pytest.mark.parametrize("order", ["oldest first", "newest first", "by id"])
def test_unchanged_account_gives_the_same_table(order: str, api: SimulatedApi, client: Client) -> None:
    """On pages of 20 jobs, of which 25 were created in the same second."""
    jobs = [payload(number, created_at=1_760_000_000 + max(number, 25)) for number in range(60, 0, -1)]
    if order == "oldest first":
        jobs.reverse()
    if order == "by id":  # neither newest nor oldest first
        jobs.sort(key=lambda job: str(job["id"])[::-1])
    api.jobs, api.largest_page = jobs, 20
    lines: list[Line] = []
    for number in range(4):
        before, lines = lines, list_jobs(client, lines, full=False).lines
        assert len(lines) == 60
        assert not number or changes.diff(before, lines).jobs == []


def test_missing_unfinished_job_needs_two_equal_readings(api: SimulatedApi, client: Client) -> None:
    """The job may have changed and moved, so the list is read until two readings agree."""
    jobs = [payload(number) for number in range(400, 0, -1)]
    jobs[150] = jobs[150] | {"status": "running"}
    api.jobs = jobs
    before = list_jobs(client, [], full=True).lines
    api.jobs = jobs[:150] + jobs[151:]
    api.requests.clear()
    assert len(list_jobs(client, before, full=False).lines) == 399
    assert pages_read(api) == 8


# --- Examples for the rules of the state machine: when a listing must read on ---


def assert_same_tables(
    api: SimulatedApi, client: Client, jobs: list[dict[str, Any]], now: list[dict[str, Any]], cap: int
) -> None:
    """List `jobs`, then `now`, with pages of `cap` jobs; fail if the incremental table differs from the full one."""
    api.largest_page, api.jobs = cap, jobs
    before = list_jobs(client, [], full=True).lines
    api.jobs = now
    assert len(listed(client, before).lines) == len(now)


def test_new_job_of_the_newest_second_may_be_listed_below_the_first_page(api: SimulatedApi, client: Client) -> None:
    jobs = [payload(number, created_at=1_760_000_099) for number in range(140, 100, -1)]
    jobs += [payload(number) for number in range(60, 0, -1)]
    assert_same_tables(api, client, jobs, [*jobs[:30], payload(200, created_at=1_760_000_099), *jobs[30:]], cap=25)


def test_job_may_move_up_from_below_the_pages_read(api: SimulatedApi, client: Client) -> None:
    jobs = [payload(99), *(payload(number, created_at=1_760_000_000) for number in range(79, 0, -1))]
    assert_same_tables(api, client, jobs, [*jobs[:2], jobs[70], *jobs[2:70], *jobs[71:]], cap=30)


def test_list_may_continue_below_the_end_of_the_table(api: SimulatedApi, client: Client) -> None:
    jobs = [payload(number) for number in range(65, 0, -1)]
    assert_same_tables(api, client, jobs[:25], jobs, cap=25)


def test_job_may_move_down_below_the_pages_read(api: SimulatedApi, client: Client) -> None:
    jobs = [payload(99), *(payload(number, created_at=1_760_000_000) for number in range(79, 0, -1))]
    assert_same_tables(api, client, jobs, [*jobs[:2], *jobs[3:70], jobs[2], *jobs[70:]], cap=30)


@pytest.mark.parametrize("place", [19, 20, 21])
def test_order_is_checked_across_pages(place: int, api: SimulatedApi, client: Client) -> None:
    jobs = [payload(number) for number in range(85, 0, -1)]
    new = [payload(number) for number in range(90, 85, -1)]
    swapped = [*new, *jobs]
    swapped[place - 1 : place + 1] = [swapped[place], swapped[place - 1]]
    assert_same_tables(api, client, jobs, swapped, cap=20)


def test_overlap_may_span_several_short_pages(api: SimulatedApi, client: Client) -> None:
    jobs = [payload(number) for number in range(85, 0, -1)]
    jobs[15] = jobs[15] | {"status": "running"}
    ended = jobs[15] | {"status": "failed", "finished_at": 1_760_009_999}
    assert_same_tables(api, client, jobs, [*jobs[:15], ended, *jobs[16:]], cap=6)


def test_list_that_is_not_newest_first_is_read_in_full(api: SimulatedApi, client: Client, history: list[Line]) -> None:
    api.jobs = [api.jobs[1], api.jobs[0], *api.jobs[2:]]
    listing = list_jobs(client, history, full=False)
    assert listing.full
    assert listing.lines == history


def test_edited_table_is_replaced(client: Client, history: list[Line]) -> None:
    edited = [Line(line.replace(b"2026-", b"26-").replace(b"2027-", b"27-")) for line in history]
    assert list_jobs(client, edited, full=False).lines == history


def test_only_a_full_listing_sees_changes_far_below(api: SimulatedApi, client: Client, history: list[Line]) -> None:
    """Ended jobs far below the pages read: one was removed, one has changed."""
    removed, changed = api.jobs[500], api.jobs[600]
    api.jobs = [*api.jobs[:500], *api.jobs[501:600], changed.payload(api.now) | {"status": "melted"}, *api.jobs[601:]]
    assert list_jobs(client, history, full=False).lines == history
    rows = {job.id: job for job in map(table.from_line, list_jobs(client, history, full=True).lines)}
    assert removed.id not in rows
    assert rows[changed.id].status == "melted"


def test_new_shutdown_date_reaches_carried_rows(api: SimulatedApi, client: Client, history: list[Line]) -> None:
    api.announced = {"gpt-4.1-nano-2025-04-14": "2031-01-01"}
    listing = listed(client, history)
    assert not listing.full
    jobs = [table.from_line(line) for line in listing.lines]
    changed = {job.model for job, line in zip(jobs, history, strict=True) if table.to_line(job) != line}
    assert changed == {"gpt-4.1-nano-2025-04-14"}
    assert {job.shutdown_date for job in jobs if job.model in changed and job.fine_tuned_model} == {"2031-01-01"}


def test_job_that_cannot_be_retrieved_leads_to_a_full_listing(api: SimulatedApi, client: Client) -> None:
    """The list has that job, too."""
    jobs = [payload(number) for number in range(200, 0, -1)]
    jobs[150] = jobs[150] | {"status": "running"}
    api.jobs = jobs
    before = list_jobs(client, [], full=True).lines
    unusable = [
        api_faults.status(501),
        api_faults.status(301, Location="/elsewhere"),
        api_faults.body(payload(5)),
        api_faults.body({"data": jobs[150]}),
        api_faults.body(b"[]"),
        api_faults.body(jobs[150] | {"status": None}),
        api_faults.body(jobs[150] | {"created_at": "soon"}),
    ]
    for answer in unusable:
        api.faults = [Fault(jobs[150]["id"], answer)]
        listing = list_jobs(client, before, full=False)
        assert (listing.lines, listing.full) == (before, True)


def test_a_job_that_takes_too_long_fails_the_run(api: SimulatedApi, client: Client) -> None:
    jobs = [payload(number) for number in range(200, 0, -1)]
    jobs[150] = jobs[150] | {"status": "running"}
    api.jobs = jobs
    before = list_jobs(client, [], full=True).lines
    api.faults = [Fault(jobs[150]["id"], api_faults.status(429, "Slow down.", Retry_After="3600"))]
    with pytest.raises(OutOfTimeError, match=rf"GET /fine_tuning/jobs/{jobs[150]['id']}.*status 429: Slow down"):
        list_jobs(client, before, full=False)


# --- In the whole run ---


@pytest.fixture
def running(deployment: Deployment) -> Deployment:
    deployment.api.jobs = simulated_jobs.new_jobs(401, deployment.api.now)[1:]
    deployment.put_simulated_secret()
    assert deployment.run()["full_listing"]
    deployment.api.requests.clear()
    return deployment


def test_the_second_run_is_incremental(running: Deployment) -> None:
    first = running.rows()
    summary = running.run()
    assert (summary["full_listing"], summary["api_requests"], summary["job_count"]) == (False, 2, 400)
    assert running.rows() == first


def test_full_run_is_made_on_request(running: Deployment) -> None:
    summary = running.run(full=True)
    assert (summary["full_listing"], summary["api_requests"]) == (True, 5)


def test_changed_key_leads_to_a_full_listing(running: Deployment) -> None:
    running.api.key = "sk-rotated-0123456789abcdef"
    running.put_simulated_secret()
    assert running.run()["full_listing"]
    assert not running.run()["full_listing"]


def test_table_of_another_version_is_not_carried_over(running: Deployment) -> None:
    lines = running.objects()["latest/default.tsv"].splitlines()
    body = b"\n".join(b"\t".join(line.split(b"\t")[:7]) for line in lines) + b"\n"
    metadata = running.s3.head_object(Bucket=running.bucket, Key="latest/default.tsv")["Metadata"]
    running.s3.put_object(Bucket=running.bucket, Key="latest/default.tsv", Body=body, Metadata=metadata)
    summary = running.run()
    assert summary["full_listing"]
    assert not any(summary["changes"].values())
    assert running.objects()["latest/default.tsv"].splitlines() == lines


# What version 1.0.0 wrote for the jobs of the next test, without 27 more lines like the last one.
TABLE_OF_VERSION_1_0_0 = (
    b"created_at\tupdated_at\tstatus\tmodel\tid\tfine_tuned_model\ttrained_tokens\tshutdown_date\terror\tmethod"
    b"\ttraining_file\tmetadata\n"
    b"2025-10-09T08:53:52.000Z\t2025-10-09T08:53:52.000Z\trunning\tgpt-4o-mini-2024-07-18"
    b"\tftjob-000000000000000000000032\t\t\t\t\t\t\t\n"
    b"2025-10-09T08:53:51.000Z\t2025-10-09T09:53:51.000Z\tsucceeded\tgpt-4o-mini-2024-07-18"
    b"\tftjob-000000000000000000000031\tft:gpt-4o-mini-2024-07-18:acme:tone:abc\t51000\t2027-01-14\t\tsupervised"
    b'\tfile-1\t{"team":"Z\xc3\xbcrich"}\n'
    b"2025-10-09T08:53:50.000Z\t2025-10-09T09:53:50.000Z\tfailed\tgpt-4o-mini-2024-07-18"
    b'\tftjob-000000000000000000000030\t\t\t\tc: a "quoted" line\t\tfile-4\t\n'
    b"2025-10-09T08:53:49.000Z\t2025-10-09T09:53:49.000Z\tcanceled\tgpt-4o-mini-2024-07-18"
    b"\tftjob-000000000000000000000029\t\t\t\t\t\t\t\n"
    b"2025-10-09T08:53:48.000Z\t2025-10-09T09:53:48.000Z\tsucceeded\tgpt-4o-mini-2024-07-18"
    b"\tftjob-000000000000000000000028\t\t\t\t\t\t\t\n"
)


def test_the_table_of_version_1_0_0_gets_the_new_columns(deployment: Deployment, bus: Queue) -> None:
    api = deployment.api
    api.largest_page = 25
    api.announced = {"gpt-4o-mini-2024-07-18": "2027-01-14"}
    api.jobs = [
        payload(32, status="running", finished_at=None, seed=7, user_provided_suffix="tone"),
        payload(
            31,
            fine_tuned_model="ft:gpt-4o-mini-2024-07-18:acme:tone:abc",
            trained_tokens=51_000,
            training_file="file-1",
            validation_file="file-2",
            result_files=["file-3"],
            seed=42,
            user_provided_suffix="tone",
            metadata={"team": "Zürich"},
            method={"type": "supervised", "supervised": {"hyperparameters": {"n_epochs": 3}}},
        ),
        payload(30, status="failed", training_file="file-4", error={"code": "c", "message": 'a "quoted" line'}),
        payload(29, status="canceled"),
        *(payload(number) for number in range(28, 0, -1)),
    ]
    more = "".join(
        f"2025-10-09T08:53:{20 + number}.000Z\t2025-10-09T09:53:{20 + number}.000Z\tsucceeded\tgpt-4o-mini-2024-07-18"
        f"\tftjob-{number:024}\t\t\t\t\t\t\t\n"
        for number in range(27, 0, -1)
    )
    body = TABLE_OF_VERSION_1_0_0 + more.encode()
    view = Credentials(api.key, api.base_url).fingerprint
    deployment.s3.put_object(
        Bucket=deployment.bucket,
        Key="latest/default.tsv",
        Body=body,
        Metadata={"snapshot-time": at(minutes=15), "job-count": "32", "view": view},
    )
    first, second = deployment.run(), deployment.run()
    assert (first["full_listing"], second["full_listing"]) == (True, False)
    assert not any([*first["changes"].values(), *second["changes"].values()])
    assert bus.receive() == []
    header, *lines = deployment.objects()["latest/default.tsv"].splitlines()
    assert [b"\t".join(line.split(b"\t")[:12]) for line in (header, *lines)] == body.splitlines()
    new = b"finished_at hyperparameters seed suffix validation_file result_files"
    assert header.split(b"\t")[12:18] == new.split(b" ")
    assert [line.split(b"\t")[12:18] for line in lines[:3]] == [
        [b"", b"", b"7", b"tone", b"", b""],
        [b"2025-10-09T09:53:51.000Z", b'{"n_epochs":3}', b"42", b"tone", b"file-2", b"file-3"],
        [b"2025-10-09T09:53:50.000Z", b"", b"", b"", b"", b""],
    ]
