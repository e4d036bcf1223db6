"""Counters for Prometheus."""

import time

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_SECONDS = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60)
_COUNTS = (1, 2, 4, 8, 16, 32, 64, 128)


class Metrics:
    """The counters of one server. Each server has its own registry, so that several may run in one process."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        registry = self._registry
        self.requests = Counter(
            "weft_requests",
            "Requests by route and status code.",
            ("route", "status"),
            registry=registry,
        )
        self.seconds = Histogram(
            "weft_request_seconds",
            "Time from the first byte of a request to the last of its answer.",
            ("route",),
            buckets=_SECONDS,
            registry=registry,
        )
        self.received = Counter(
            "weft_received_bytes", "Bytes of bodies of requests.", registry=registry
        )
        self.in_flight = Gauge(
            "weft_in_flight", "Requests that are being answered.", registry=registry
        )
        self.queue = Gauge("weft_queue", "Requests that wait for the model.", registry=registry)
        self.batch = Histogram(
            "weft_batch_requests",
            "Requests that one call of the model answers.",
            ("what",),
            buckets=_COUNTS,
            registry=registry,
        )
        self.model_seconds = Histogram(
            "weft_model_seconds",
            "Time of one call of the model.",
            ("what",),
            buckets=_SECONDS,
            registry=registry,
        )
        started = Gauge(
            "weft_started_seconds", "When the server started, as Unix time.", registry=registry
        )
        started.set(time.time())

    def observe_batch(self, what: str, requests: int, seconds: float) -> None:
        """Counts one call of the model."""
        self.batch.labels(what).observe(requests)
        self.model_seconds.labels(what).observe(seconds)

    def observe_request(self, route: str, status: int, seconds: float, received: int) -> None:
        """Counts one answered request."""
        self.requests.labels(route, str(status)).inc()
        self.seconds.labels(route).observe(seconds)
        self.received.inc(received)

    def text(self) -> bytes:
        """Returns the counters in Prometheus' text format."""
        return generate_latest(self._registry)
