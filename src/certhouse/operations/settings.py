"""Enterprise parameters and Certhouse's own settings: values that the catalog's rows depend on."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from certhouse.errors import NotFound
from certhouse.model.change import Change, Plan
from certhouse.operations.recording import Decision, carry_out
from certhouse.operations.surroundings import current_catalog, look_around
from certhouse.policy.plan import aftermath
from certhouse.ports.store import Store, Transaction
from certhouse.ports.world import Bell, Clock, Ids
from certhouse.vocabulary import ChangeKind, SettingName


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingView:
    """``allowed`` says in words what values there are; ``own`` whether the value differs from the default by decision."""

    name: SettingName
    value: str
    default: str
    own: bool
    allowed: str
    description: str
    reference: str


def list_settings(*, store: Store) -> Sequence[SettingView]:
    with store.read() as tx:
        own = tx.settings.all()
        return tuple(
            SettingView(
                name=name,
                value=own.get(name, row.default),
                default=row.default,
                own=name in own,
                allowed=row.allowed,
                description=row.description,
                reference=row.reference,
            )
            for name, row in current_catalog(tx).settings.items()
        )


def get_setting(name: SettingName, *, store: Store) -> SettingView:
    for setting in list_settings(store=store):
        if setting.name == name:
            return setting
    raise NotFound(f"there is no setting {name}; `certhouse setting list` names them")


def set_setting(
    name: SettingName,
    value: str,
    *,
    store: Store,
    clock: Clock,
    ids: Ids,
    bell: Bell,
    actor: str,
    dry_run: bool = False,
) -> Change:
    """Sets a value and plans what the catalog says has to restart for it. Raises Refused for one out of range."""

    def decide(tx: Transaction, now: datetime) -> Decision:
        surroundings = look_around(tx)
        catalog = surroundings.catalog
        if name not in catalog.settings:
            raise NotFound(f"there is no setting {name}; there are: {', '.join(catalog.settings)}")
        wanted = catalog.check_setting(name, value)
        own = tx.settings.all()
        former = surroundings.settings[name]
        after = aftermath(surroundings, name, "setting", surroundings.nodes) if wanted != former else None
        plan = Plan(
            kind=ChangeKind.SETTING,
            summary=f"{name}: {former} to {wanted}",
            steps=after.steps if after else (),
            warnings=tuple(catalog.warnings_for(name, "setting", surroundings.settings)),
            follow_ups=after.follow_ups if after else (),
            facts={"setting": name, "value": wanted, "former": former, "former_own": "yes" if name in own else ""},
        )
        return Decision(plan=plan, effect=lambda tx: tx.settings.set(name, wanted))

    return carry_out(decide, store=store, clock=clock, ids=ids, bell=bell, actor=actor, dry_run=dry_run)
