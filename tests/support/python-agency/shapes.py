from enum import Enum
from typing import Annotated, Any, Dict, List, Literal, Optional, Union

from pydantic import BaseModel, Field, field_validator


class Priority(str, Enum):
    LOW = "low"
    HIGH = "high"


class Line(BaseModel):
    """One line."""

    sku: str = Field(..., min_length=2, max_length=9, pattern=r"^[A-Z]\d+$")
    amount: float = Field(1.5, gt=0, le=100, description="How many")


class Answer(BaseModel):
    text: str
    kind: Literal["order", "price"] = "order"
    score: Annotated[int, Field(ge=1, le=5), "One to five"]
    lines: List[Line] = Field(default_factory=list)
    note: Optional[str] = None
    either: Union[int, str, None]
    extra: Dict[str, Any] = {}
    pair: tuple[int, str]
    priority: Priority = Priority.LOW
    odd: "SomethingElse"

    @field_validator("text")
    def not_empty(cls, value):
        return value
