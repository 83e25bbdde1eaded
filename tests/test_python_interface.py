"""`jupyter_wb_aws.boto3_session`: code inside a real server, the documentation's example among it."""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import sys
from pathlib import Path

import boto3
import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

import jupyter_wb_aws
from jupyter_wb_aws import boto3_session
from jupyter_wb_aws.errors import NoDefaultRoleSession, NotConfigured, RoleSessionEnded
from tests.site import ANALYST, AUDITOR

PAGE = Path(__file__).parent.parent / "docs/python.md"
CODE = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)
(BROWSER,) = [code for code in CODE if "class BucketHandler" in code]
(ENABLED,) = [code for code in CODE if "jpserver_extensions" in code]
(SHORTEST,) = [code for code in CODE if code not in {BROWSER, ENABLED}]


@pytest.fixture
def jp_server_config(site_config, tmp_path, monkeypatch):
    """The site, with the example extension enabled as the page says."""
    (tmp_path / "s3_browser.py").write_text(BROWSER)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "s3_browser", raising=False)
    config = {}
    exec(
        ENABLED.replace("c.ServerApp.jpserver_extensions", "config['extensions']"),
        {"config": config},
    )
    site_config["ServerApp"]["jpserver_extensions"] |= config["extensions"]
    return site_config


async def test_the_documented_s3_browser_lists_the_bucket_as_the_default_role(api):
    none = await api("GET", "/s3-browser/colorado-projects")
    assert none.status == 404
    assert "No role was chosen yet." in json.dumps(none.data)
    assert "jupyter wb-aws start ROLE" in json.dumps(none.data)

    await api.start(ANALYST)
    listed = await api("GET", "/s3-browser/colorado-projects")

    assert listed.status == 200
    assert listed.data["keys"]


@pytest.mark.parametrize(
    ("bucket", "error", "status", "words"),
    [
        ("no-such-bucket", None, 403, "Access Denied"),
        ("colorado-projects", ("AccessDenied", 403, "You may not."), 403, "You may not."),
        ("colorado-projects", ("NoSuchBucket", 404, "None of it."), 404, "None of it."),
        ("colorado-projects", ("SlowDown", 503, "Slow down."), 502, "Slow down."),
        ("colorado-projects", None, 502, "Could not connect"),
    ],
)
async def test_the_documented_s3_browser_shows_what_aws_says(
    api, monkeypatch, bucket, error, status, words
):
    def refuse(self, bucket):
        if error is None:
            raise EndpointConnectionError(endpoint_url="http://nowhere")
        code, http, message = error
        said = {
            "Error": {"Code": code, "Message": message},
            "ResponseMetadata": {"HTTPStatusCode": http},
        }
        raise ClientError(said, "ListObjectsV2")

    await api.start(ANALYST)
    if bucket == "colorado-projects":
        monkeypatch.setattr(sys.modules["s3_browser"].BucketHandler, "keys", refuse)

    answer = await api("GET", f"/s3-browser/{bucket}")

    assert answer.status == status
    assert words in answer.data["message"]


async def test_the_shortest_example_works(api, jp_serverapp):
    await api.start(ANALYST)
    names = {"serverapp": jp_serverapp}
    exec(SHORTEST, names)

    put = names["s3"].put_object
    answer = await asyncio.to_thread(put, Bucket="colorado-projects", Key="k", Body=b"1")

    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 200


async def test_a_consumer_has_a_name_of_its_own_and_the_role_that_is_the_default(api, jp_serverapp):
    def who(consumer, session_id=None):
        session = boto3_session(jp_serverapp, consumer, session_id)
        assert isinstance(session, boto3.Session)
        return session.client("sts").get_caller_identity()["Arn"]

    analyst = await api.start(ANALYST)
    auditor = await api.start(AUDITOR, default=False)

    first = await asyncio.to_thread(who, "s3-browser")
    named = await asyncio.to_thread(who, "s3-browser", auditor["id"])
    await api("PUT", "/aws/default", {"session_id": auditor["id"]})
    second = await asyncio.to_thread(who, "assistant")

    assert first == f"{analyst['identity']['Arn']}-s3-browser"
    assert named == f"{auditor['identity']['Arn']}-s3-browser"
    assert second == f"{auditor['identity']['Arn']}-assistant"


async def test_ending_the_role_session_stops_it_at_once(api, jp_serverapp):
    session = await api.start(ANALYST)
    s3 = boto3_session(jp_serverapp, "s3-browser").client("s3")
    await asyncio.to_thread(s3.list_objects_v2, Bucket="colorado-projects")

    await api("DELETE", f"/aws/sessions/{session['id']}")

    with pytest.raises(RoleSessionEnded):
        await asyncio.to_thread(s3.list_objects_v2, Bucket="colorado-projects")
    with pytest.raises(NoDefaultRoleSession):
        boto3_session(jp_serverapp, "s3-browser")


async def test_no_credential_is_in_the_log(api, jp_serverapp, caplog):
    caplog.set_level("DEBUG")
    await api.start(ANALYST)
    session = boto3_session(jp_serverapp, "s3-browser")
    await asyncio.to_thread(session.client("sts").get_caller_identity)

    frozen = session.get_credentials().get_frozen_credentials()
    # The local AWS runs in this process, and moto logs what it was asked.
    ours = [r.getMessage() for r in caplog.records if not r.name.startswith("moto")]

    assert frozen.token
    assert not [part for part in frozen if part and part in f"{ours}{session!r}{frozen!r}"]


class TestWithoutRoles:
    @pytest.fixture
    def jp_server_config(self, site_config):
        del site_config["WbAwsApp"]["roles_file"]
        return site_config

    async def test_a_server_that_is_not_set_up_says_which_setting_is_missing(self, jp_serverapp):
        with pytest.raises(NotConfigured, match=r"WbAwsApp\.roles_file"):
            boto3_session(jp_serverapp, "s3-browser")


class TestWithoutTheExtension:
    @pytest.fixture
    def jp_server_config(self):
        return {"ServerApp": {"jpserver_extensions": {"jupyter_wb_aws": False}}}

    async def test_a_server_without_the_extension_says_so(self, jp_serverapp):
        with pytest.raises(NotConfigured, match="not loaded"):
            boto3_session(jp_serverapp, "s3-browser")


def test_importing_the_interface_costs_no_boto3():
    program = "import sys, jupyter_wb_aws; jupyter_wb_aws.boto3_session; print({'boto3', 'botocore', 'tornado'} & set(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout == "set()\n"
    assert set(jupyter_wb_aws.__all__) == {"__version__", "boto3_session"}
