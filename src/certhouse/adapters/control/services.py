"""Controllers: systemd units, commands, and Certhouse's own listener."""

import json
import shutil
import socket
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

from certhouse.adapters.control.bindings import Binding, Bindings
from certhouse.adapters.control.probe import probe
from certhouse.errors import Fault, Refused, Unavailable
from certhouse.model.node import ObservedService, Probe
from certhouse.ports.world import Clock
from certhouse.vocabulary import KeyType, PurposeName, ServiceAction, ServiceName, ServiceStatus

_CLEAN = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8"}
_LOOK_AGAIN = 0.2
_STATUS_SECONDS = 10.0


class BoundServices:
    """``ports.node.Services``. ``read`` gives the bindings anew each time: an edit counts without a restart."""

    def __init__(
        self,
        read: Callable[[], Bindings],
        clock: Clock,
        key_type_of: Callable[[PurposeName], KeyType | None],
        self_socket: Path,
    ) -> None:
        self._read = read
        self._clock = clock
        self._key_type_of = key_type_of
        self._self_socket = self_socket

    def bound(self) -> Sequence[ServiceName]:
        return list(self._read())

    def purposes(self, service: ServiceName) -> Sequence[PurposeName]:
        binding = self._read().get(service)
        return list(dict.fromkeys(check.purpose for check in binding.checks)) if binding else []

    def status(self, service: ServiceName) -> ObservedService:
        binding = self._read().get(service)
        if binding is None:
            return ObservedService(service=service, status=ServiceStatus.UNBOUND, controller="")
        try:
            status, instance, detail = self._look(binding)
        except (Refused, Unavailable) as error:
            status, instance, detail = ServiceStatus.UNKNOWN, "", str(error)
        return ObservedService(
            service=service, status=status, controller=binding.controller, instance=instance, detail=detail
        )

    def _look(self, binding: Binding) -> tuple[ServiceStatus, str, str]:
        match binding.controller:
            case "systemd":
                return self._look_systemd(binding.unit)
            case "self":
                return self._look_self()
            case _:
                return self._look_command(binding)

    def _look_systemd(self, unit: str) -> tuple[ServiceStatus, str, str]:
        argv = ["systemctl", "show", "--property=ActiveState,SubState,InvocationID", "--", unit]
        code, output = self._run(argv, _STATUS_SECONDS)
        shown = dict(line.split("=", 1) for line in output.splitlines() if "=" in line)
        if code != 0 or "ActiveState" not in shown:
            return ServiceStatus.UNKNOWN, "", output[-200:]
        states = {
            "active": ServiceStatus.RUNNING,
            "reloading": ServiceStatus.RUNNING,
            "inactive": ServiceStatus.STOPPED,
            "failed": ServiceStatus.STOPPED,
        }
        status = states.get(shown["ActiveState"], ServiceStatus.UNKNOWN)
        return status, shown.get("InvocationID", ""), f"{shown['ActiveState']} ({shown.get('SubState', '')})"

    def _look_self(self) -> tuple[ServiceStatus, str, str]:
        try:
            answer = self._tell_self({"status": "listener"}, _STATUS_SECONDS)
        except Unavailable as error:
            return ServiceStatus.UNKNOWN, "", str(error)
        return ServiceStatus.RUNNING, str(answer.get("instance", "")), "Certhouse's own listener"

    def _look_command(self, binding: Binding) -> tuple[ServiceStatus, str, str]:
        instance = _process_of(binding.pid_file)
        if binding.status:
            code, output = self._run(list(binding.status), _STATUS_SECONDS)
            return (ServiceStatus.RUNNING if code == 0 else ServiceStatus.STOPPED), instance, output[-200:]
        if binding.pid_file:
            return (ServiceStatus.RUNNING if instance else ServiceStatus.STOPPED), instance, ""
        for check in binding.checks:
            try:
                with socket.create_connection(check.host_port, timeout=2):
                    return ServiceStatus.RUNNING, "", f"{check.address} answers"
            except OSError as error:
                return ServiceStatus.STOPPED, "", f"{check.address}: {error}"
        return ServiceStatus.UNKNOWN, "", "there is no status command, pid file or check to ask"

    def control(self, service: ServiceName, action: ServiceAction) -> ObservedService:
        binding = self._read().get(service)
        if binding is None:
            raise Refused(
                Fault(code="unbound", detail=f"{service} is not bound on this node", remedy="bind it in bindings.toml")
            )
        if binding.controller == "self":
            if action is not ServiceAction.RESTART:
                raise Refused(
                    Fault(
                        code="own-listener",
                        detail=f"{service} is Certhouse's own listener, which cannot {action} by itself",
                        remedy="stop and start Certhouse (`certhouse up`)",
                    )
                )
            self._tell_self({"restart": "listener"}, binding.seconds)
        else:
            argv = self._argv(binding, service, action)
            code, output = self._run(argv, binding.seconds)
            if code != 0:
                raise Refused(
                    Fault(
                        code="service-command",
                        detail=f"{action} of {service} failed: {' '.join(output.split())[-300:]}",
                        found=f"exit code {code}",
                        expected="0",
                        remedy="look at the service's own log on the node",
                    )
                )
        return self._settled(service, binding, action)

    @staticmethod
    def _argv(binding: Binding, service: ServiceName, action: ServiceAction) -> list[str]:
        if binding.controller == "systemd":
            return ["systemctl", str(action), "--", binding.unit]
        argv: tuple[str, ...] = getattr(binding, action.value)
        if not argv:
            raise Refused(
                Fault(
                    code="no-command",
                    detail=f"the binding of {service} has no {action} command",
                    remedy=f"add {action} = [...] to its binding",
                )
            )
        return list(argv)

    def _settled(self, service: ServiceName, binding: Binding, action: ServiceAction) -> ObservedService:
        """Waits until the service is as it should be, or its limit has passed; says how it is then."""
        wanted = ServiceStatus.STOPPED if action is ServiceAction.STOP else ServiceStatus.RUNNING
        deadline = self._clock.monotonic() + binding.seconds
        while True:
            seen = self.status(service)
            answers = action is ServiceAction.STOP or all(_answers(check.host_port) for check in binding.checks)
            if (seen.status is wanted and answers) or self._clock.monotonic() > deadline:
                return seen
            self._clock.sleep(_LOOK_AGAIN)

    def probe(self, service: ServiceName) -> Sequence[Probe]:
        binding = self._read().get(service)
        if binding is None:
            return []
        return [probe(service, check, self._key_type_of(check.purpose)) for check in binding.checks]

    def _tell_self(self, message: dict[str, str], seconds: float) -> dict[str, object]:
        try:
            with socket.socket(socket.AF_UNIX) as connection:
                connection.settimeout(seconds)
                connection.connect(str(self._self_socket))
                connection.sendall(json.dumps(message).encode() + b"\n")
                with connection.makefile("rb") as reader:
                    answer = json.loads(reader.readline(65_536))
        except (OSError, ValueError) as error:
            raise Unavailable("Certhouse's own listener does not answer") from error
        if not isinstance(answer, dict) or not answer.get("ok"):
            raise Unavailable(f"Certhouse's own listener could not: {answer}")
        return answer

    @staticmethod
    def _run(argv: list[str], seconds: float) -> tuple[int, str]:
        """Runs a command of the bindings, its output bounded. Raises Unavailable, Refused."""
        if shutil.which(argv[0], path=_CLEAN["PATH"]) is None:
            raise Refused(
                Fault(
                    code="no-such-command",
                    detail=f"there is no command {argv[0]} on this node",
                    remedy="mend bindings.toml",
                )
            )
        try:
            done = subprocess.run(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                timeout=seconds,
                env=_CLEAN,
                cwd="/",
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise Unavailable(f"{argv[0]} did not end within {seconds:.0f} s") from error
        except OSError as error:
            raise Unavailable(f"{argv[0]} cannot be run: {error.strerror}") from error
        return done.returncode, done.stdout[-4096:].decode("utf-8", "replace")


def _answers(address: tuple[str, int]) -> bool:
    try:
        with socket.create_connection(address, timeout=2):
            return True
    except OSError:
        return False


def _process_of(pid_file: str) -> str:
    """Gives PID and start time of the process that a pid file names, or an empty text if there is none."""
    if not pid_file:
        return ""
    try:
        pid = int(Path(pid_file).read_text().strip())
        started = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except (OSError, ValueError, IndexError):
        return ""
    return f"{pid}-{started}"
