"""The loop people write: zeep, orjson, an idempotent aiokafka producer, awaited per page.

`python -m tests.bench.loop KAFKA URL ORDERS`, with MPLUS_WSDL set.
"""

import asyncio
import os
import resource
import sys
import time
import uuid

import orjson
import zeep.helpers
from aiokafka import AIOKafkaProducer

from connector.kafka.writing.transactions import BATCH_BYTES
from tests.support.kafka.topics import create_topic
from tests.support.pos.zeep_client import service

PAGE = 1000


async def main(bootstrap: str, url: str, orders: int) -> None:
    """Read, convert, send, wait, next page; prints seconds and CPU seconds."""
    topic = f"loop-{uuid.uuid4().hex[:8]}.orders"
    await create_topic(bootstrap, topic, 4, max_message_bytes=str(8 << 20))
    pos = service(os.environ["MPLUS_WSDL"], url)
    producer = AIOKafkaProducer(
        bootstrap_servers=bootstrap, enable_idempotence=True, acks="all", compression_type="zstd", max_batch_size=BATCH_BYTES
    )
    await producer.start()
    begun, used = time.perf_counter(), _cpu()
    for first in range(1, orders + 1, PAGE):
        request = {
            "syncMarker": first,
            "syncMarkerLimit": PAGE,
            "articlePluNumbers": {},
            "articleBarcodes": {},
            "includeLineList": True,
        }
        answer = pos.getOrders(request)
        sent = [
            await producer.send(
                topic, orjson.dumps(zeep.helpers.serialize_object(order), default=str), key=order.orderId.encode()
            )
            for order in answer
        ]
        await asyncio.gather(*sent)
    print(time.perf_counter() - begun, _cpu() - used, flush=True)
    await producer.stop()


def _cpu() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
