"""Has nodes destroy the keys of replaced CSRs once no certificate for them can come any more."""

from certhouse.model.task import Task
from certhouse.ports.store import Store
from certhouse.ports.world import Bell, Clock
from certhouse.wire.messages import ForgetKeys, encode


def forget_overdue_keys(*, store: Store, clock: Clock, bell: Bell) -> int:
    """Gives how many CSRs were let go. A key that a version of the identity or another CSR uses stays."""
    now = clock.now()
    with store.begin() as tx:
        overdue = tx.requests.overdue(now)
        for request in overdue:
            tx.requests.remove(request.id)
            used = {version.key_id for version in tx.identities.versions(request.node, request.purpose)}
            if request.key_id in used or tx.requests.by_key(request.node, request.purpose, request.key_id) is not None:
                continue
            work = encode(ForgetKeys(purpose=request.purpose, key_ids=(request.key_id,)))
            tx.tasks.add(Task(id=f"forget-{request.id}", node=request.node, fence=0, work=work, created=now))
    for node in {request.node for request in overdue}:
        bell.ring(f"node:{node}")
    return len(overdue)
