"""Upload Certificate or Certificate Chain (manual, the section of this name)."""

from functools import partial

from fastapi import APIRouter, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from certhouse.api.asking import (
    Administrator,
    Body,
    DryRun,
    LoggedInRoute,
    ServerPart,
    Wait,
    change_answer,
)
from certhouse.api.certificates import unpack
from certhouse.operations.upload_certificate import UploadCertificate, upload_certificate
from certhouse.vocabulary import NodeName

router = APIRouter(tags=["certificates"], route_class=LoggedInRoute)


class UploadFile(Body):
    name: str = ""
    content: str


class Upload(Body):
    """``files`` hold base64; ``text`` is pasted PEM; ``key`` is PEM or base64."""

    target: str
    node: str | None = None
    files: list[UploadFile] = []
    text: str = ""
    key: str | None = None
    password: str | None = None
    description: str = ""
    restart: bool = False


_UPLOAD_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {"schema": Upload.model_json_schema(ref_template="#/components/schemas/{model}")},
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["target", "files"],
                    "properties": {
                        "files": {"type": "array", "items": {"type": "string", "format": "binary"}},
                        "key": {"type": "string", "format": "binary"},
                        **{
                            name: {"type": "string"}
                            for name in ("target", "node", "text", "password", "description", "restart")
                        },
                    },
                }
            },
        },
    }
}
_UPLOAD_BODY["requestBody"]["content"]["application/json"]["schema"].pop("$defs", None)  # type: ignore[index]


async def _read_form(request: Request) -> tuple[Upload, tuple[bytes, ...], bytes | None]:
    async with request.form(max_files=32, max_fields=32) as form:
        files = [await item.read() for item in form.getlist("files") if not isinstance(item, str)]
        key = form.get("key")
        key_content = key.encode() if isinstance(key, str) else await key.read() if key is not None else None
        fields = {
            name: value for name, value in form.items() if isinstance(value, str) and name not in ("key", "files")
        }
    return Upload.model_validate(fields), tuple(files), key_content or None


@router.post("/certificates", openapi_extra=_UPLOAD_BODY)
async def upload(
    request: Request, server: ServerPart, actor: Administrator, dry_run: DryRun = False, wait: Wait = 30
) -> Response:
    """Upload a certificate or chain to a purpose or a trust store, as JSON or as a form with files."""
    key: bytes | None = None
    if request.headers.get("content-type", "").startswith("multipart/form-data"):
        wish, files, key = await _read_form(request)
    else:
        wish = Upload.model_validate_json(await request.body())
        files = tuple(unpack(item.content, item.name[:100] or "a file") for item in wish.files)
        if wish.key:
            key = wish.key.encode() if "-----BEGIN" in wish.key else unpack(wish.key, "the key")
    if wish.text:
        files = (*files, wish.text.encode())
    command = UploadCertificate(
        target=wish.target,
        node=NodeName(wish.node) if wish.node else None,
        files=files,
        key=key,
        password=wish.password.encode() if wish.password else None,
        description=wish.description,
        restart=wish.restart,
    )
    act = partial(
        upload_certificate,
        command,
        store=server.store,
        clock=server.clock,
        ids=server.ids,
        bell=server.bell,
        seal=server.seal,
        actor=actor.name,
        dry_run=dry_run,
    )
    return change_answer(await run_in_threadpool(act), wait)
