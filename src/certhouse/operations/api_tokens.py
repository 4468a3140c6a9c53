"""API tokens: a script's access, with an end; and the audit trail's pages."""

from collections.abc import Sequence
from datetime import timedelta

from certhouse.errors import Fault, Forbidden, NotFound, Refused, Unauthenticated
from certhouse.model.account import ApiToken, AuditRecord, User
from certhouse.operations.log_in import hash_token
from certhouse.ports.store import Store
from certhouse.ports.world import Clock, Ids
from certhouse.vocabulary import UserName

LONGEST_TOKEN_LIFE = timedelta(days=366)
TOKEN_PREFIX = "cht_"  # noqa: S105  # what marks a token, for those who search leaks


def create_token(
    user: str, description: str, life: timedelta, *, store: Store, clock: Clock, ids: Ids, actor: str
) -> tuple[ApiToken, str]:
    """Gives a new token's record and, this once, the token itself. Raises NotFound, Refused."""
    now = clock.now()
    if not timedelta(seconds=1) <= life <= LONGEST_TOKEN_LIFE:
        raise Refused(
            Fault(code="token-life", detail="a token lives at least a second and at most 366 days", found=str(life))
        )
    secret = TOKEN_PREFIX + ids.secret()
    with store.begin() as tx:
        if tx.accounts.user(UserName(user)) is None:
            raise NotFound(f"there is no user {user}")
        token = ApiToken(
            id=ids.new("tok"),
            token_hash=hash_token(secret),
            user=UserName(user),
            description=description[:200],
            created=now,
            expires=now + life,
        )
        tx.accounts.add_token(token)
        tx.audit.add(
            AuditRecord(at=now, actor=actor, action="create-token", target=user, outcome="done", detail=token.id)
        )
    return token, secret


def list_tokens(*, store: Store, user: str | None = None) -> Sequence[ApiToken]:
    with store.read() as tx:
        return tx.accounts.tokens(UserName(user) if user else None)


def revoke_token(token_id: str, *, store: Store, clock: Clock, actor: str, owner: str | None = None) -> None:
    """Revokes a token; with ``owner`` only one of that user's. Raises NotFound, Forbidden."""
    with store.begin() as tx:
        token = next((item for item in tx.accounts.tokens() if item.id == token_id), None)
        if token is None:
            raise NotFound(f"there is no token {token_id}")
        if owner is not None and token.user != owner:
            raise Forbidden("this token is another user's")
        tx.accounts.remove_token(token_id)
        tx.audit.add(
            AuditRecord(
                at=clock.now(), actor=actor, action="revoke-token", target=token.user, outcome="done", detail=token_id
            )
        )


def user_of_token(token: str, *, store: Store, clock: Clock) -> tuple[User, ApiToken]:
    """Gives whose API token it is. Raises Unauthenticated."""
    now = clock.now()
    with store.read() as tx:
        known = tx.accounts.token(hash_token(token)) if token.startswith(TOKEN_PREFIX) else None
        user = tx.accounts.user(known.user) if known is not None and known.expires > now else None
    if known is None or user is None or user.disabled:
        raise Unauthenticated("the API token is unknown, has expired or was revoked")
    if known.last_used is None or now - known.last_used > timedelta(minutes=1):
        with store.begin() as tx:
            tx.accounts.touch_token(known.id, now)
    return user, known


def list_audit(*, store: Store, limit: int = 100, before: int | None = None) -> Sequence[AuditRecord]:
    with store.read() as tx:
        return tx.audit.newest(limit, before)
