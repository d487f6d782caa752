"""The configuration file: beside the environment, for several administrations, and what it may not hold."""

from pathlib import Path

import pytest

from connector.config.load import load
from tests.support.configurations import ONE, SECRET, one_of, refused

FILE = """
[kafka]
bootstrap_servers = "from-file:9092"
[connector]
group = "from-file"
page_size = 7
[[administrations]]
name = "shop"
url = "http://pos:1"
ident = "file-ident"
secret = "file-secret"
"""


@pytest.fixture
def one(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """An environment that is complete for one administration."""
    for name, value in ONE.items():
        monkeypatch.setenv(name, value)
    return monkeypatch


def written(tmp_path: Path, text: str) -> Path:
    """A configuration file."""
    path = tmp_path / "connector.toml"
    path.write_text(text)
    return path


def test_environment_wins_over_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Setting by setting; the rest comes from the file, what neither names from the defaults."""
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", "from-env:9092")
    monkeypatch.setenv("CONNECTOR_PAGE_SIZE", "9")
    monkeypatch.setenv("MPLUS_IDENT", "env-ident")
    monkeypatch.setenv("MPLUS_SECRET", "env-secret")
    config = load(written(tmp_path, FILE))

    assert ("from-env:9092", 9, "from-file", 2) == (
        config.kafka.bootstrap_servers,
        config.connector.page_size,
        config.connector.group,
        config.connector.poll_interval,
    )
    (shop,) = config.administrations
    assert ("shop", "env-ident", "env-secret") == (shop.administration, shop.ident, shop.secret.get_secret_value())


def test_several_administrations_come_from_the_file_alone(tmp_path: Path, one: pytest.MonkeyPatch) -> None:
    """The environment could mean only one of them."""
    second = '[[administrations]]\nname = "second"\nurl = "https://pos:2"\nident = "i2"\nsecret = "s2"\n'
    config = load(written(tmp_path, FILE + second))

    assert [("shop", "file-ident", "file-secret"), ("second", "i2", "s2")] == [
        (row.administration, row.ident, row.secret.get_secret_value()) for row in config.administrations
    ]


def test_two_administrations_of_one_name_are_refused(tmp_path: Path, one: pytest.MonkeyPatch) -> None:
    """Their topics would be the same."""
    again = '[[administrations]]\nname = "shop"\nurl = "https://pos:2"\nident = "i2"\nsecret = "s2"\n'
    one_of(refused(written(tmp_path, FILE + again)), "shop", "twice")


def test_a_problem_of_one_of_several_says_which(tmp_path: Path, one: pytest.MonkeyPatch) -> None:
    """A variable's name alone would not."""
    second = '[[administrations]]\nname = "second"\nurl = "nonsense"\nident = "i2"\nsecret = "s2"\n'
    one_of(refused(written(tmp_path, FILE + second)), "second", "url")


@pytest.mark.parametrize("given", ["env:POS_ONE", "file:{}"])
def test_a_secret_may_come_from_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given: str) -> None:
    """From a variable of any name, or a file; the line's end is not part of it."""
    (tmp_path / "secret").write_text(f"{SECRET}\n")
    monkeypatch.setenv("POS_ONE", SECRET)
    config = load(written(tmp_path, FILE.replace("file-secret", given.format(tmp_path / "secret"))))

    assert SECRET == config.administrations[0].secret.get_secret_value()


@pytest.mark.parametrize("given", ["env:POS_NONE", "file:/no/such/file"])
def test_a_secret_that_is_not_there_is_refused(tmp_path: Path, given: str) -> None:
    """The problem names the administration's secret."""
    problems = refused(written(tmp_path, FILE.replace("file-secret", given)))
    assert 1 == len(problems)
    assert "secret" in problems[0].lower()


@pytest.mark.parametrize(
    "text",
    [
        "kafka = 3",
        "[kafka\n",
        "[administrations]\nname = 'x'",
        "administrations = [1]",
        "[connector]\npage_sise = 3",
        "[conector]\npage_size = 3",
    ],
)
def test_a_file_that_is_not_understood_is_refused(tmp_path: Path, one: pytest.MonkeyPatch, text: str) -> None:
    """Wrong shapes and misspelled names: what was meant would not happen."""
    assert refused(written(tmp_path, text))


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    """With its name."""
    assert "none.toml" in refused(tmp_path / "none.toml")[0]
