"""A topic that gets other settings."""

from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from tests.support.kafka.topics import admin


async def resize(bootstrap: str, topic: str, largest: int, policy: str = "compact") -> None:
    """Let the broker take no larger batches in this topic from now on."""
    settings = {"cleanup.policy": policy, "max.message.bytes": str(largest)}
    async with admin(bootstrap) as client:
        await client.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, configs=settings)])
