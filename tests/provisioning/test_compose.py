"""What `make up` starts: services that know each other by the right names, show themselves to this machine alone, call nobody."""

import json
import re
from typing import Any

import pytest

from connector.cli.main import VERBS
from tests.support.docs import page, setting_rows
from tests.support.expressions import OPS, REPOSITORY, read_yaml

SERVICES = {"kafka", "sandbox", "connector", "views", "prometheus", "grafana"}
OURS = "mplus-connector"


@pytest.fixture(scope="module")
def compose() -> Any:
    """The compose file."""
    return read_yaml(REPOSITORY / "docker-compose.yml")


def test_every_service_is_there(compose: Any) -> None:
    """And no `version:`, which new compose warns of and old compose does not need."""
    assert {"services", "volumes"} == set(compose)
    assert SERVICES == set(compose["services"])
    assert {OURS} == {compose["services"][name]["image"] for name in ("sandbox", "connector", "views")}


def test_foreign_images_are_pinned(compose: Any) -> None:
    """To a version, all of it."""
    images = {row["image"] for row in compose["services"].values()} - {OURS}

    assert 3 == len(images)
    assert set() == {image for image in images if not re.fullmatch(r"[a-z/]+:v?\d+\.\d+\.\d+", image)}


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_a_service_shows_itself_to_this_machine_alone_and_says_whether_it_is_well(compose: Any, name: str) -> None:
    """Ports on 127.0.0.1, a health check of its own, started again after a crash."""
    service = compose["services"][name]

    assert service["ports"]
    assert [] == [port for port in service["ports"] if not re.fullmatch(r"127\.0\.0\.1:(\d+):\1", port)]
    assert "CMD" == service["healthcheck"]["test"][0]
    assert "unless-stopped" == service["restart"]


def test_who_is_waited_for_is_there_and_says_when_it_is_ready(compose: Any) -> None:
    """Only by `depends_on` with a condition, which both generations of compose understand."""
    for service in compose["services"].values():
        for name, how in service.get("depends_on", {}).items():
            assert name in SERVICES
            assert {"condition": "service_healthy"} == how


def test_files_are_mounted_to_be_read(compose: Any) -> None:
    """Each is there, and cannot be changed from inside; other volumes are named."""
    for service in compose["services"].values():
        for source, target, *mode in (volume.split(":") for volume in service.get("volumes", ())):
            assert target.startswith("/")
            if source.startswith("."):
                assert (REPOSITORY / source).exists(), source
                assert ["ro"] == mode
            else:
                assert source in compose["volumes"]


def test_settings_of_the_connector_exist(compose: Any) -> None:
    """Also the verbs."""
    known = {row.split("`")[1] for row in setting_rows()}
    for name in ("sandbox", "connector", "views"):
        service = compose["services"][name]

        assert set() == set(service["environment"]) - known, name
        assert service["command"][0] in VERBS, name


def test_prometheus_finds_its_targets(compose: Any) -> None:
    """By the names and ports of services that listen on all addresses; with the rules beside its configuration."""
    configuration = read_yaml(OPS / "prometheus" / "prometheus.yml")
    targets = [target for job in configuration["scrape_configs"] for row in job["static_configs"] for target in row["targets"]]

    assert ["connector:8080", "views:8081"] == targets
    for name, _, port in (target.partition(":") for target in targets):
        service = compose["services"][name]
        assert f"127.0.0.1:{port}:{port}" in service["ports"]
        assert "0.0.0.0" == service["environment"]["CONNECTOR_HTTP_HOST"]
    for file in configuration["rule_files"]:
        assert (OPS / "prometheus" / file).exists()


def test_grafana_finds_prometheus_and_the_dashboard(compose: Any) -> None:
    """The data source that the dashboard asks for by default, in the folder that is provisioned."""
    (source,) = read_yaml(OPS / "grafana/provisioning/datasources/prometheus.yml")["datasources"]
    (provider,) = read_yaml(OPS / "grafana/provisioning/dashboards/connector.yml")["providers"]
    board = json.loads((OPS / "grafana" / "dashboard.json").read_text())
    (chosen,) = [row["current"]["value"] for row in board["templating"]["list"] if row["name"] == "datasource"]
    grafana = compose["services"]["grafana"]
    mounted = dict(volume.split(":")[:2] for volume in grafana["volumes"])

    assert ("http://prometheus:9090", source["uid"]) == (source["url"], chosen)
    assert mounted["./ops/grafana/provisioning"] == "/etc/grafana/provisioning"
    assert mounted["./ops/grafana/dashboard.json"].rpartition("/")[0] == provider["options"]["path"]
    assert mounted["./ops/grafana/dashboard.json"] == grafana["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]


def test_grafana_lets_everybody_look_and_calls_nobody(compose: Any) -> None:
    """No login, no role but the viewer's, nothing fetched, nothing reported."""
    given = compose["services"]["grafana"]["environment"]
    off = ("REPORTING_ENABLED", "CHECK_FOR_UPDATES", "CHECK_FOR_PLUGIN_UPDATES", "FEEDBACK_LINKS_ENABLED")

    assert ("true", "Viewer") == (given["GF_AUTH_ANONYMOUS_ENABLED"], given["GF_AUTH_ANONYMOUS_ORG_ROLE"])
    assert ["false"] * 4 == [given[f"GF_ANALYTICS_{name}"] for name in off]
    assert ("true", "true") == (given["GF_AUTH_DISABLE_LOGIN_FORM"], given["GF_SECURITY_DISABLE_INITIAL_ADMIN_CREATION"])
    assert {"true", "false", "Viewer", given["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]} == set(given.values())


def test_the_operations_page_names_the_addresses(compose: Any) -> None:
    """Of Prometheus and of Grafana."""
    for name in ("prometheus", "grafana"):
        assert f"port {compose['services'][name]['ports'][0].rpartition(':')[2]}" in page("operations.md")
