from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from engine.api.views import CallerView
from engine.errors import ConfigError, EngineError, InvalidRequest, Unavailable
from tests.support.fake_centre import ENGINE, SALES
from tests.unit.api.conftest import Rig


@pytest.mark.parametrize("what", ["queues", "agents", "members", "trunks", "groups", "calls"])
def test_lists_show_what_the_engine_has(rig: Rig, what: str) -> None:
    items = rig.get(f"/api/v1/{what}")["items"]
    assert len(items) == 1
    assert rig.get("/api/v1/status").get(what, items) == items


@pytest.mark.parametrize(
    ("path", "key", "value"),
    [
        ("queues/sales", "counters", {"entered": 3.0, "hold_s": 1.5}),
        ("agents/anna", "source", "192.0.2.1:5060"),
        ("members/sales/anna", "penalty", 0),
        ("trunks/pbx", "detail", "2 ms"),
        ("calls/c1", "talking_for_s", None),
        ("media", "lateness_p999_ms", 0.9),
    ],
)
def test_one_of_them(rig: Rig, path: str, key: str, value: object) -> None:
    assert rig.get(f"/api/v1/{path}")[key] == value


def test_who_waits_stands_in_the_queue(rig: Rig) -> None:
    caller = CallerView(call="c2", caller="+49", display="", position=1, waited_s=2.5, ringing=("anna",))
    rig.centre.things["queue", "sales"] = replace(SALES, callers=(caller,))
    assert rig.get("/api/v1/queues/sales")["callers"] == [
        {"call": "c2", "caller": "+49", "display": "", "position": 1, "waited_s": 2.5, "ringing": ["anna"]}
    ]


@pytest.mark.parametrize("path", ["queues/x", "agents/x", "members/sales/x", "trunks/x", "calls/x", "cdrs/x", "what"])
def test_what_is_not_there_is_said_so(rig: Rig, path: str) -> None:
    assert rig.error("GET", f"/api/v1/{path}")[:2] == (404, "not_found")


def test_half_of_a_surrogate_pair_is_no_text(rig: Rig) -> None:
    json = {"content-type": "application/json"}
    for path, body in (
        ("agents", rb'{"name": "\ud800"}'),
        ("members", rb'{"queue": "\udfff", "agent": "anna"}'),
        ("agents", rb'{"name": "bert", "destinations": ["\ud800"]}'),
    ):
        status, code, message = rig.error("POST", f"/api/v1/{path}", content=body, headers=json)
        assert (status, code) == (400, "invalid_request")
        assert "surrogate" in message


def test_numbers_of_records_that_no_store_holds_are_refused(rig: Rig) -> None:
    assert rig.error("GET", f"/api/v1/events?after={2**63}")[:2] == (400, "invalid_request")
    assert rig.ask("GET", f"/api/v1/events?after={2**63 - 1}").status_code == 200


def test_a_method_that_a_path_has_not_got(rig: Rig) -> None:
    assert rig.error("DELETE", "/api/v1/media")[:2] == (405, "method_not_allowed")


def test_an_agent_is_added_and_its_secret_shown_once(rig: Rig) -> None:
    answer = rig.ask("POST", "/api/v1/agents", json={"name": "bert", "display": "Bert"})
    assert answer.status_code == 201
    assert answer.json()["secret"] == "secret-of-bert"
    assert answer.json()["agent"]["display"] == "Bert"
    assert rig.centre.done == [
        ("write", "agent", "bert", {"display": "Bert"}, "create", "api"),
        ("rotate_secret", "bert", "api"),
    ]
    assert "secret" not in str(rig.get("/api/v1/agents/bert")).replace("has_secret", "")
    assert rig.error("POST", "/api/v1/agents", json={"name": "bert"})[:2] == (409, "already_exists")


NEW: dict[str, dict[str, Any]] = {
    "queue": {"name": "help", "strategy": "ringall", "retry_s": 1},
    "trunk": {"name": "itsp", "host": "192.0.2.20", "addresses": ["192.0.2.0/24"]},
    "group": {"name": "backup", "members": ["pbx:1:2"]},
    "member": {"queue": "help", "agent": "anna", "penalty": 3},
}
NAMES = {"queue": "help", "trunk": "itsp", "member": "help/anna", "group": "backup"}
CHANGES: dict[str, dict[str, Any]] = {
    "agent": {"display": "B."},
    "queue": {"wrap_up_s": 2.5, "rona_break": False},
    "trunk": {"host": "192.0.2.21", "ping_s": 0},
    "group": {"members": ["pbx"]},
    "member": {"penalty": 7},
}


@pytest.mark.parametrize("kind", NEW)
def test_things_are_added(rig: Rig, kind: str) -> None:
    answer = rig.ask("POST", f"/api/v1/{kind}s", json=NEW[kind])
    assert answer.status_code == 201
    assert answer.json().items() >= NEW[kind].items()
    given = {key: value for key, value in NEW[kind].items() if key not in {"name", "queue", "agent"}}
    assert rig.centre.done == [("write", kind, NAMES[kind], given, "create", "api")]


@pytest.mark.parametrize("kind", CHANGES)
@pytest.mark.parametrize(("method", "mode"), [("PUT", "replace"), ("PATCH", "update")])
def test_only_what_was_given_is_written(rig: Rig, kind: str, method: str, mode: str) -> None:
    name = {"agent": "anna", "queue": "sales", "trunk": "pbx", "member": "sales/anna", "group": "out"}[kind]
    answer = rig.ask(method, f"/api/v1/{kind}s/{name}", json=CHANGES[kind])
    assert answer.status_code == 200
    assert answer.json().items() >= CHANGES[kind].items()
    assert rig.centre.done == [("write", kind, name, CHANGES[kind], mode, "api")]


@pytest.mark.parametrize("path", ["agents/anna", "queues/sales", "trunks/pbx", "members/sales/anna", "groups/out"])
def test_things_are_removed(rig: Rig, path: str) -> None:
    assert rig.ask("DELETE", f"/api/v1/{path}").status_code == 204
    assert rig.error("DELETE", f"/api/v1/{path}")[:2] == (404, "not_found")
    kind, _, name = path.partition("/")
    assert rig.centre.done[0] == ("drop", kind.removesuffix("s"), name, "api")


def test_status_is_set_with_its_reason(rig: Rig) -> None:
    away = rig.ask("PUT", "/api/v1/agents/anna/status", json={"status": "break", "reason": "lunch"})
    assert (away.json()["status"], away.json()["status_reason"]) == ("break", "lunch")
    rig.ask("PUT", "/api/v1/agents/anna/status", json={"status": "available"})
    gone = rig.ask("PUT", "/api/v1/agents/anna/status", json={"status": "logged_out"})
    assert gone.json()["status"] == "logged_out"
    assert rig.centre.done == [
        ("set_status", "anna", "break", "lunch", "api"),
        ("set_status", "anna", "available", "", "api"),
        ("set_status", "anna", "logged_out", "", "api"),
    ]


def test_our_command_line_is_named_as_such(rig: Rig) -> None:
    rig.ask("POST", "/api/v1/agents/anna/secret", headers={"User-Agent": "hearthline-cli"})
    assert rig.centre.done == [("rotate_secret", "anna", "cli")]


def test_a_secret_is_rotated(rig: Rig) -> None:
    assert rig.ask("POST", "/api/v1/agents/anna/secret").json() == {"agent": "anna", "secret": "secret-of-anna"}


def test_a_call_is_hung_up(rig: Rig) -> None:
    assert rig.ask("DELETE", "/api/v1/calls/c1").status_code == 204
    assert rig.centre.done == [("hang_up", "c1", "api")]
    assert rig.error("DELETE", "/api/v1/calls/c9")[:2] == (404, "not_found")


@pytest.mark.parametrize(
    ("path", "body", "said"),
    [
        ("queues", {"name": "x", "colour": "red"}, "colour: Extra inputs are not permitted"),
        ("queues", {}, "name: Field required"),
        ("queues", {"name": "x", "retry_s": "soon"}, "retry_s: Input should be a valid number"),
        ("queues", {"name": "x", "max_callers": "5"}, "max_callers: Input should be a valid integer"),
        ("queues", {"name": "x", "strategy": "loudest"}, "'longest-idle' or 'ringall'"),
        ("trunks", {"name": "x", "transport": "sctp"}, "'udp', 'tcp' or 'tls'"),
        ("members", {"queue": "x"}, "agent: Field required"),
        ("agents", {"name": "x", "ha1_md5": "0" * 32}, "ha1_md5: Extra inputs"),
    ],
)
def test_a_body_that_cannot_be_used_is_explained(rig: Rig, path: str, body: dict[str, Any], said: str) -> None:
    status, code, message = rig.error("POST", f"/api/v1/{path}", json=body)
    assert (status, code) == (400, "invalid_request")
    assert said in message
    assert rig.centre.done == []


def test_a_body_that_is_no_json(rig: Rig) -> None:
    answer = rig.error("POST", "/api/v1/queues", content=b"{nope", headers={"Content-Type": "application/json"})
    assert answer[:2] == (400, "invalid_request")
    assert "JSON" in answer[2]


def test_status_takes_three_words_only(rig: Rig) -> None:
    status, _, message = rig.error("PUT", "/api/v1/agents/anna/status", json={"status": "asleep"})
    assert status == 400
    assert "'available', 'break' or 'logged_out'" in message
    too_long = {"status": "break", "reason": "x" * 129}
    assert rig.error("PUT", "/api/v1/agents/anna/status", json=too_long)[0] == 400


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (InvalidRequest("bad"), 400, "invalid_request"),
        (ConfigError("bad"), 400, "config_invalid"),
        (Unavailable("the store cannot be used now: database or disk is full"), 503, "unavailable"),
        (EngineError("odd"), 500, "engine_error"),
        (RuntimeError("with our insides"), 500, "internal"),
    ],
)
def test_errors_keep_their_code(rig: Rig, error: Exception, status: int, code: str) -> None:
    rig.centre.trouble = error
    answer = rig.error("PATCH", "/api/v1/queues/sales", json={})
    assert answer[:2] == (status, code)
    assert "insides" not in answer[2]


def test_cdr_pages_hand_the_filters_on(rig: Rig) -> None:
    page = rig.get(
        "/api/v1/cdrs?after=9.0:c9&limit=2&queue=sales&agent=anna&direction=inbound&outcome=success&since=1.5"
    )
    assert page == {"items": [{"call": "c1"}, {"call": "c0"}], "next": "5.0:c0"}
    assert rig.centre.asked == [
        {
            "what": "cdrs",
            "after": "9.0:c9",
            "limit": 2,
            "queue": "sales",
            "agent": "anna",
            "direction": "inbound",
            "outcome": "success",
            "since": 1.5,
            "until": None,
        }
    ]
    assert rig.get("/api/v1/cdrs/c1") == {"call": "c1"}


def test_event_pages(rig: Rig) -> None:
    rig.centre.stored = [(n, f'{{"seq":{n}}}') for n in range(1, 9)]
    assert rig.get("/api/v1/events?after=3&limit=2&type=CallEnded&call=c1") == {
        "items": [{"seq": 4}, {"seq": 5}],
        "next": None,
    }
    assert rig.centre.asked[0] == {"what": "events", "after": 3, "limit": 2, "type_": "CallEnded", "call": "c1"}


@pytest.mark.parametrize(
    "query", ["cdrs?limit=0", "cdrs?limit=501", "cdrs?direction=up", "events?after=-1", "events?after=x"]
)
def test_queries_out_of_range(rig: Rig, query: str) -> None:
    assert rig.error("GET", f"/api/v1/{query}")[:2] == (400, "invalid_request")
    assert rig.centre.asked == []


def test_the_queue_log_is_text(rig: Rig) -> None:
    answer = rig.ask("GET", "/api/v1/queue-log?limit=7")
    assert answer.headers["content-type"].startswith("text/plain")
    assert answer.text.splitlines()[1] == "1790000001|c1|sales|NONE|ENTERQUEUE||+4930123|1"
    assert answer.text.endswith("\n")
    assert rig.centre.asked == [{"what": "queue_log", "limit": 7}]


def test_members_of_one_queue_or_agent(rig: Rig) -> None:
    rig.ask("POST", "/api/v1/members", json=NEW["member"])
    assert len(rig.get("/api/v1/members")["items"]) == 2
    assert [m["queue"] for m in rig.get("/api/v1/members?queue=help")["items"]] == ["help"]
    assert rig.get("/api/v1/members?agent=bert")["items"] == []


def test_health_says_ok_and_readiness_says_why_not(rig: Rig) -> None:
    rig.centre.engine_view = replace(ENGINE, reasons=("draining", "store degraded: database or disk is full"))
    assert rig.get("/healthz", token=None) == {"status": "ok"}
    answer = rig.ask("GET", "/readyz", token=None)
    assert answer.status_code == 503
    assert answer.json() == {"ready": False, "reasons": ["draining", "store degraded: database or disk is full"]}
    rig.centre.engine_view = ENGINE
    assert rig.get("/readyz", token=None) == {"ready": True, "reasons": []}


def test_metrics_are_prometheus_text(rig: Rig) -> None:
    answer = rig.ask("GET", "/metrics")
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert "hearthline_calls_active 1.0" in answer.text


def test_status_shows_everything(rig: Rig) -> None:
    status = rig.get("/api/v1/status")
    assert set(status) == {"engine", "queues", "agents", "calls", "trunks", "media"}
    assert status["engine"]["version"] == "1.2.3"
    assert status["engine"]["store"]["degraded"] is False


def test_openapi_describes_every_route_with_words(rig: Rig) -> None:
    schema = rig.get("/api/v1/openapi.json")
    assert schema["security"] == [{"token": []}]
    assert schema["paths"]["/healthz"]["get"]["security"] == []
    for path, methods in schema["paths"].items():
        for method, operation in methods.items():
            assert operation["description"].endswith("."), (method, path)
    fields = schema["components"]["schemas"]["QueueSettings"]
    assert fields["additionalProperties"] is False
    assert "1 to 600" in fields["properties"]["ring_timeout_s"]["description"]
    assert schema["components"]["schemas"]["CallerView"]["properties"]["position"]["description"] == "1 is next."


def test_the_guard_is_shown_and_bans_are_lifted(rig: Rig) -> None:
    shown = rig.get("/api/v1/guard")
    assert shown["dropped"] == {"unknown": 7}
    assert [(ban["address"], ban["reason"], ban["left_s"]) for ban in shown["bans"]] == [("192.0.2.66", "flood", 60.0)]
    assert rig.ask("POST", "/api/v1/guard/unban", json={"address": "192.0.2.66"}).status_code == 204
    assert rig.centre.done == [("unban", "192.0.2.66", "", "api")]
    assert rig.error("POST", "/api/v1/guard/unban", json={"address": "192.0.2.9", "user": "x"})[:2] == (
        404,
        "not_found",
    )
    assert rig.error("POST", "/api/v1/guard/unban", json={"address": 7})[0] == 400


def test_recordings_are_listed_and_live_calls_recorded(rig: Rig) -> None:
    (file,) = rig.get("/api/v1/recordings?limit=7&call=c1")["items"]
    assert (file["path"], file["state"], file["encrypted"]) == ("2026/11/22/101500-c1.flac", "finished", False)
    answer = rig.ask("POST", "/api/v1/calls/c1/recording", json={"action": "pause"})
    assert (answer.status_code, answer.json()["call"]) == (200, "c1")
    assert rig.centre.done == [("recordings", "7", "c1"), ("record", "c1", "pause", "api")]
    assert rig.error("POST", "/api/v1/calls/c1/recording", json={"action": "burn"})[0] == 400
    assert rig.error("POST", "/api/v1/calls/none/recording", json={"action": "stop"})[0] == 404


@pytest.mark.parametrize("path", ["calls/c1", "calls/a%2Fb%40192.0.2.1", "agents/anna", "strangers"])
def test_traces_are_json_text_and_pcap(rig: Rig, path: str) -> None:
    assert rig.get(f"/api/v1/{path}/trace")["messages"][0]["title"] == "INVITE 1"
    text = rig.ask("GET", f"/api/v1/{path}/trace.txt")
    assert text.headers["content-type"] == "text/plain; charset=utf-8"
    assert text.text.startswith("ladder of ")
    assert "in full" not in text.text
    assert rig.ask("GET", f"/api/v1/{path}/trace.txt?full=true").text.endswith("in full\n")
    file = rig.ask("GET", f"/api/v1/{path}/trace.pcap")
    assert (file.headers["content-type"], file.content) == ("application/vnd.tcpdump.pcap", b"\xd4\xc3\xb2\xa1")


def test_traced_calls_are_listed_and_what_is_not_kept_is_not_found(rig: Rig) -> None:
    (call,) = rig.get("/api/v1/traces")["items"]
    assert (call["call"], call["call_ids"], call["ended"]) == ("c1", ["a", "b"], "")
    for form in ("trace", "trace.txt", "trace.pcap"):
        assert rig.error("GET", f"/api/v1/calls/c9/{form}")[:2] == (404, "not_found")


def test_conferences_are_shown_and_members_muted_and_put_out(rig: Rig) -> None:
    member = rig.ask("GET", "/api/v1/conferences").json()["items"][0]["members"][0]
    assert (member["call"], member["who"], member["muted"], member["joined_for_s"]) == ("c1", "agent:anna", False, 2.0)
    assert rig.ask("GET", "/api/v1/conferences/team").json()["name"] == "team"
    muted = rig.ask("PATCH", "/api/v1/conferences/team/members/c1", json={"muted": True})
    assert (muted.status_code, muted.json()["name"]) == (200, "team")
    assert rig.ask("DELETE", "/api/v1/conferences/team/members/c1").status_code == 204
    assert rig.centre.done == [("mute", "team", "c1", True, "api"), ("kick", "team", "c1", "api")]
    assert rig.error("DELETE", "/api/v1/conferences/x/members/c1")[:2] == (404, "not_found")
    assert rig.error("PATCH", "/api/v1/conferences/team/members/c1", json={"muted": 1})[:2] == (400, "invalid_request")


@pytest.mark.parametrize("mode", ["listen", "whisper", "barge"])
def test_a_call_is_supervised_and_no_more(rig: Rig, mode: str) -> None:
    answer = rig.ask("PUT", "/api/v1/calls/c1/supervisors/cleo", json={"mode": mode})
    assert (answer.status_code, answer.json()) == (200, {"agent": "cleo", "mode": mode, "call": "s1", "up": False})
    assert rig.ask("GET", "/api/v1/calls/c1/supervisors").json()["items"] == [answer.json()]
    assert rig.ask("GET", "/api/v1/calls/c1").json()["supervisors"] == [answer.json()]
    assert rig.ask("DELETE", "/api/v1/calls/c1/supervisors/cleo").status_code == 204
    assert rig.centre.done == [("supervise", "c1", "cleo", mode, "api"), ("dismiss", "c1", "cleo", "api")]


def test_a_mode_that_is_none_is_refused(rig: Rig) -> None:
    found = rig.error("PUT", "/api/v1/calls/c1/supervisors/cleo", json={"mode": "spy"})
    assert found[:2] == (400, "invalid_request")
    assert "'listen', 'whisper' or 'barge'" in found[2]
    assert rig.error("PUT", "/api/v1/calls/c9/supervisors/cleo", json={"mode": "listen"})[:2] == (404, "not_found")


def test_a_media_process_is_taken_out_of_service(rig: Rig) -> None:
    drained = rig.ask("POST", "/api/v1/media/0/drain", json={"move": True})
    assert (drained.status_code, drained.json()) == (200, {"legs": 2})
    assert rig.centre.done == [("drain_media", 0, True)]
    assert rig.error("POST", "/api/v1/media/3/drain", json={})[:2] == (404, "not_found")
