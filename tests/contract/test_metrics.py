"""The searches for metrics under their contract."""

from tests.contract.metrics import MetricSearchContract
from tests.fakes.metrics import FakeMetricSearch

from sagehouse.ports.metrics import MetricSearch
from sagehouse.runtimes.metrics import ProcessMetricSearch


class TestProcessMetricSearch(MetricSearchContract):
    def search(self) -> MetricSearch:
        return ProcessMetricSearch()


class TestFakeMetricSearch(MetricSearchContract):
    def search(self) -> MetricSearch:
        return FakeMetricSearch()
