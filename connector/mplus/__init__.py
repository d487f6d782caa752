"""The MplusKASSA SOAP API: requests, streaming answers, one client per administration. Knows nothing of Kafka."""
