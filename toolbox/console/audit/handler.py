"""The page "Audit": any span's account, and its export."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from toolbox.audit.document import audit_document
from toolbox.audit.page import audit_page
from toolbox.console.audit.data import AuditForm, read_audit
from toolbox.console.counted import PageCalls
from toolbox.console.rendering import json_answer, pages, render
from toolbox.console.scene import in_thread, scene_of

if TYPE_CHECKING:
    from starlette.requests import Request

    from toolbox.console.audit.data import AuditFound, AuditView

#: On the laptop calls cost nothing; the forecast bounds what is read.
_MOST_LOCAL_CALLS = 100_000


async def _audited(request: Request) -> AuditView:
    if request.app.state.scene.where.local:
        request.state.calls = PageCalls(_MOST_LOCAL_CALLS)
    scene, form = scene_of(request), AuditForm.of(request.query_params)
    return await in_thread(lambda: read_audit(scene, form))


async def show(request: Request) -> Response:
    """Show the form, and the account of what it asked for."""
    return render(request, "audit/audit.html", await _audited(request))


async def page_report(request: Request) -> Response:
    """Hand out the account as a page that stands by itself."""
    found = (await _audited(request)).found
    if found is None:
        return RedirectResponse("/audit", 303)
    text = audit_page(found.report, found.span)
    return Response(text, media_type="text/html", headers=_as_file(found, "html"))


async def json_report(request: Request) -> Response:
    """Hand out the account as `mozdef-ef audit --json` prints it."""
    found = (await _audited(request)).found
    if found is None:
        return RedirectResponse("/audit", 303)
    answer = json_answer(audit_document(found.report, found.span))
    answer.headers.update(_as_file(found, "json"))
    return answer


def _as_file(found: AuditFound, ending: str) -> dict[str, str]:
    name = f"audit-{found.span.start:%Y%m%dT%H%MZ}-{found.span.end:%Y%m%dT%H%MZ}.{ending}"
    return {"Content-Disposition": f'attachment; filename="{name}"'}


ROUTES = [
    *pages("/audit", show),
    Route("/audit/report.html", page_report),
    Route("/audit/report.json", json_report),
]
