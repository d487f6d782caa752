"""The names of topics and consumer groups: a contract, see docs/topics.md. Pure."""

from dataclasses import dataclass


def work_topic(group: str) -> str:
    """Its partitions are the units of work that the consumer group spreads. Nothing is written to it."""
    return f"{group}.work"


def pollers_group(group: str) -> str:
    """The consumer group that spreads the work partitions."""
    return f"{group}.pollers"


def commands_group(group: str) -> str:
    """The consumer group that spreads the partitions of order commands."""
    return f"{group}.commands"


def views_group(group: str) -> str:
    """The consumer group of `views`."""
    return f"{group}.views"


@dataclass(frozen=True, slots=True)
class Topics:
    """The names of an administration's topics."""

    administration: str

    def entity(self, topic: str) -> str:
        """Events of an entity; `topic` is its last word, as the entity's row has it."""
        return f"{self.administration}.{topic}"

    @property
    def positions(self) -> str:
        """Committed positions: work partition p writes to partition p."""
        return f"{self.administration}.sync-markers"

    @property
    def status(self) -> str:
        """The state of every entity, at least every 5 s."""
        return f"{self.administration}.connector-status"

    @property
    def dead_letters(self) -> str:
        """What could not be read or done, with the reason in its headers."""
        return f"{self.administration}.dead-letters"

    @property
    def control(self) -> str:
        """What operators ask of the pollers. One partition: a few requests a day, and one order for all of them."""
        return f"{self.administration}.connector-control"

    @property
    def control_results(self) -> str:
        """What became of it."""
        return f"{self.administration}.connector-control-results"

    @property
    def audits(self) -> str:
        """What each audit found."""
        return f"{self.administration}.audit-reports"

    @property
    def commands(self) -> str:
        """What producers want done, keyed by the order."""
        return f"{self.administration}.order-commands"

    @property
    def results(self) -> str:
        """How each command ended, under its key."""
        return f"{self.administration}.order-command-results"

    @property
    def ledger(self) -> str:
        """What is known of every command: partition p belongs to command partition p."""
        return f"{self.administration}.command-ledger"

    @property
    def journeys(self) -> str:
        """What became of each order, keyed as its commands. Written by `views`."""
        return f"{self.administration}.order-journeys"

    @property
    def windows(self) -> str:
        """Sums over minutes and hours, for the dashboard. Written by `views`."""
        return f"{self.administration}.views-windows"

    @property
    def by_document(self) -> str:
        """What events say of orders, keyed by order: until the order's own record tells its key. Inner topic of `views`."""
        return f"{self.administration}.views-by-document"

    @property
    def by_journey(self) -> str:
        """What is known of orders, keyed by journey. Inner topic of `views`."""
        return f"{self.administration}.views-by-journey"

    @property
    def figures(self) -> str:
        """What is to be counted in windows. Inner topic of `views`."""
        return f"{self.administration}.views-figures"

    @property
    def documents(self) -> str:
        """Each order's journey key and what waits for it; what each document adds to the revenue. A table of `views`."""
        return f"{self.administration}.views-documents"
