"""Types of fields that several answers have."""

from typing import Annotated, Literal

from msgspec import Meta, UnsetType

from exporter.events.standing import Now

Count = Annotated[int, Meta(ge=0)]
Seconds = Annotated[int, Meta(ge=0, description="seconds")]
Percent = Annotated[float, Meta(description="percent, 0 to 100")]
Celsius = Annotated[float, Meta(description="°C")]
Status = Annotated[
    Literal["critical", "warning", "stable"],
    Meta(description="`critical` with a critical error, else `warning` with a warning, else `stable`"),
]
StateNow = Annotated[
    Now,
    Meta(
        description="`critical`: a critical error in the last 5 minutes; `silent`: nothing for 10 minutes after a "
        "critical error, for a day at most; `warning`: a warning in the last 10 minutes; `recovering`: the last "
        "critical error less than 30 minutes ago; else `stable`"
    ),
]
Maybe = UnsetType  # a field of this type is left out where it has no value
