"""The consumer people write for commands: aiokafka, orjson, a zeep call, the result sent and awaited, the offset committed.

`python -m tests.bench.consuming KAFKA URL PREFIX`, with MPLUS_WSDL set. It carries nothing out twice only while nothing fails.
"""

import asyncio
import os
import sys
from typing import Any

import orjson
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from tests.support.pos.zeep_client import service


async def main(bootstrap: str, url: str, prefix: str) -> None:
    """Until it is ended."""
    pos = service(os.environ["MPLUS_WSDL"], f"{url}?ident=sandbox&secret=sandbox")
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, enable_idempotence=True, acks="all")
    reading = {"group_id": prefix, "enable_auto_commit": False, "auto_offset_reset": "earliest"}
    consumer = AIOKafkaConsumer(f"{prefix}.order-commands", bootstrap_servers=bootstrap, **reading)
    await producer.start()
    await consumer.start()
    print("ready", flush=True)
    async for record in consumer:
        result = carry_out(pos, orjson.loads(record.value))
        await producer.send_and_wait(f"{prefix}.order-command-results", orjson.dumps(result), record.key)
        await consumer.commit()


def carry_out(pos: Any, command: dict[str, Any]) -> dict[str, Any]:
    """One createOrder."""
    order = command["order"]
    lines = {"line": [{"articleNumber": line["articleNumber"], "data": line["data"]} for line in order["lineList"]]}
    sent = {"orderId": "", "extOrderId": order["extOrderId"], "relationNumber": order["relationNumber"], "lineList": lines}
    answer = pos.createOrderV3({"idempotencyKey": command["commandId"], "order": sent})
    return {"commandId": command["commandId"], "result": answer.result, "orderId": answer.info.orderId}


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:4]))
