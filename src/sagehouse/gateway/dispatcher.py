"""From an operation's name to the function that does it, for requests from outside and from inside the house."""

from collections.abc import Mapping

from sagehouse.gateway.models import service_models
from sagehouse.kit.document import Document
from sagehouse.kit.errors import NotBound
from sagehouse.ports.call import Call
from sagehouse.ports.house import House, Operation
from sagehouse.wire import model
from sagehouse.wire.identify import not_bound
from sagehouse.wire.validate import validate

# Services of which no operation is bound, but whose requests share a signing scope with one that is: their models
# let an answer name the operation.
_NEIGHBOURS = ("sagemaker-featurestore-runtime", "sagemaker-metrics")


class Dispatcher:
    """Every bound operation, validated and run. Fulfils `ports.dispatch.Dispatch`.

    The house is handed in by `open`, because the house itself holds this dispatcher.
    """

    def __init__(self, services: Mapping[str, Mapping[str, Operation]]) -> None:
        self._services = services
        self.models = service_models(*dict.fromkeys((*services, *_NEIGHBOURS)))
        self._house: House | None = None

    def open(self, house: House) -> None:
        """Run operations in this house from now on."""
        self._house = house

    async def __call__(self, call: Call, request: Document) -> Document:
        """Validate `request` against the service model and run `call.operation`; raises what the operation raises."""
        function = self.function(call.service, call.operation)
        return await self.run(function, self._operation(call), call, request)

    def function(self, service: str, operation: str) -> Operation:
        """Return the function bound to an operation; NotBound, naming it, if there is none."""
        found = self._services.get(service, {}).get(operation)
        if found is None:
            raise not_bound(service, operation)
        return found

    async def run(self, function: Operation, operation: model.Operation, call: Call, request: Document) -> Document:
        if self._house is None:
            raise RuntimeError("The house is not open: Dispatcher.open was not called.")
        validate(operation, request)
        return await function(self._house, call, request)

    def _operation(self, call: Call) -> model.Operation:
        service = self.models.service(call.service)
        if call.operation not in service:
            raise NotBound(f"{call.service} has no operation {call.operation}.")
        return service.operation(call.operation)
