from agency_swarm.tools import BaseTool
from pydantic import Field, model_validator

DISCOUNT = 5


class PriceTool(BaseTool):
    """
    Tells the price of a product.
    """

    product: str = Field(..., description="The product's name")
    amount: int = Field(default=1, ge=1)
    discount: int = DISCOUNT
    _cache: dict = {}

    class ToolConfig:
        strict = True
        one_call_at_a_time = True

    @model_validator(mode="after")
    def check(self):
        return self

    def run(self) -> str:
        """Runs."""
        price = self.amount * 10
        return f"{self.product}: {price} euros"
