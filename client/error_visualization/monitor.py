"""Reports exceptions that leave a block or a function, and lets them pass on."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Callable, TypeVar

F = TypeVar("F", bound=Callable[..., Any])


class monitor:  # noqa: N801  used as a function: `with monitor():`, `@monitor`, `@monitor(error_category="…")`
    """A context manager, also of `async with`, and a decorator of functions, coroutines and generators. Keywords are
    fields of the report."""

    def __new__(cls, function: F | None = None, **fields: Any) -> Any:
        self = super().__new__(cls)
        self._fields = fields
        return self if function is None else self(function)

    _fields: Mapping[str, Any]

    def __enter__(self) -> monitor:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if error is not None and isinstance(error, Exception):
            from error_visualization.api import capture_exception

            capture_exception(error, **self._fields)

    async def __aenter__(self) -> monitor:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.__exit__(kind, error, traceback)

    def __call__(self, function: F) -> F:
        """Returns `function` with its exceptions reported."""
        wrapped: Any
        if inspect.iscoroutinefunction(function):

            async def wrapped(*args: Any, **more: Any) -> Any:
                with self:
                    return await function(*args, **more)

        elif inspect.isgeneratorfunction(function):

            def wrapped(*args: Any, **more: Any) -> Any:
                with self:
                    return (yield from function(*args, **more))

        else:

            def wrapped(*args: Any, **more: Any) -> Any:
                with self:
                    return function(*args, **more)

        return functools.wraps(function)(wrapped)  # type: ignore[return-value]
