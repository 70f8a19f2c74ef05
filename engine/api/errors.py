"""Every error leaves as {"error": {"code", "message"}}, with an HTTP status that fits the code."""

from __future__ import annotations

from typing import ClassVar, Final

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from engine.errors import EngineError

_STATUS: Final = {
    "invalid_request": 400,
    "config_invalid": 400,
    "unauthorized": 401,
    "not_found": 404,
    "already_exists": 409,
    "unavailable": 503,
    "schema_mismatch": 503,
}
_HTTP_CODES: Final = {404: "not_found", 405: "method_not_allowed", 413: "too_large"}


class Unauthorized(EngineError):
    """No token, or one that is not known."""

    code: ClassVar[str] = "unauthorized"


def error_answer(status: int, code: str, message: str) -> JSONResponse:
    """The one form of an error."""
    headers = {"WWW-Authenticate": 'Bearer realm="hearthline"'} if status == 401 else None
    return JSONResponse({"error": {"code": code, "message": message}}, status_code=status, headers=headers)


def answer_to(error: EngineError) -> JSONResponse:
    """The answer for an error of ours; 500 for a code that no client can do anything about."""
    return error_answer(_STATUS.get(error.code, 500), error.code, str(error))


def install(app: FastAPI) -> None:
    """Make every error of this application leave in that form."""
    app.add_exception_handler(EngineError, _on_engine_error)
    app.add_exception_handler(RequestValidationError, _on_invalid)
    app.add_exception_handler(HTTPException, _on_http_error)
    app.add_exception_handler(Exception, _on_defect)


async def _on_engine_error(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, EngineError)
    return answer_to(error)


async def _on_invalid(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    faults = [f"{'.'.join(str(part) for part in fault['loc'][1:])}: {fault['msg']}" for fault in error.errors()]
    return error_answer(400, "invalid_request", "; ".join(fault.removeprefix(": ") for fault in faults))


async def _on_http_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    code = _HTTP_CODES.get(error.status_code, "invalid_request" if error.status_code < 500 else "internal")
    return error_answer(error.status_code, code, f"{request.method} {request.url.path}: {error.detail}")


async def _on_defect(_request: Request, _error: Exception) -> JSONResponse:
    # The server logs it with its traceback; the client learns nothing about our insides.
    return error_answer(500, "internal", "a defect of the engine; its log says more")
