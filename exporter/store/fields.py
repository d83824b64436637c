"""Types of fields that several answers have."""

from typing import Annotated, Literal

from msgspec import Meta, UnsetType

Count = Annotated[int, Meta(ge=0)]
Seconds = Annotated[int, Meta(ge=0, description="seconds")]
Percent = Annotated[float, Meta(description="percent, 0 to 100")]
Celsius = Annotated[float, Meta(description="°C")]
Status = Annotated[
    Literal["critical", "warning", "stable"],
    Meta(description="`critical` with a critical error, else `warning` with a warning, else `stable`"),
]
Maybe = UnsetType  # a field of this type is left out where it has no value
