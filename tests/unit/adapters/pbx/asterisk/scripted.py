"""An Asterisk for the doctor, healthy until a test spoils it."""

import asyncio
import ssl
from datetime import UTC, datetime, timedelta

from tests.unit.adapters.pbx.asterisk.peers import AgiCaller, AmiPeer, Message
from voicegate.adapters.pbx.asterisk import variables

MARK = f"revision{variables.DIALPLAN_REVISION}"
HEALTHY = {
    "VERSION()": "22.10.1",
    "DIALPLAN_EXISTS(voicegate-answered,s,1)": "1",
    "DIALPLAN_EXISTS(voicegate-reject-forward,+12025550100,1)": "1",
    f"DIALPLAN_EXISTS(voicegate-answered,{MARK},1)": "1",
    "PJSIP_ENDPOINT(carrier,redirect_method)": "user",
    "PJSIP_ENDPOINT(carrier,direct_media)": "false",
    "PJSIP_ENDPOINT(carrier,allow)": "(ulaw|alaw)",
    "PJSIP_ENDPOINT(carrier,aors)": "carrier-aor",
    "PJSIP_AOR(carrier-aor,qualify_frequency)": "30",
    "PJSIP_DIAL_CONTACTS(4200)": "PJSIP/4200/sip:a@127.0.0.1:5061&PJSIP/4200/sip:b@127.0.0.1:5062",
    "AST_CONFIG(rtp.conf,general,rtpstart)": "10000",
    "AST_CONFIG(rtp.conf,general,rtpend)": "20000",
}
ACTIONS = {
    "Originate": "Originate a call.  (Priv: originate,all)",
    "Hangup": "Hangup channel.  (Priv: system,call,all)",
    "Status": "List channel status.  (Priv: system,call,reporting,all)",
    "Ping": "Keepalive command.  (Priv: <none>)",
}


class ScriptedAsterisk(AmiPeer):
    """A PBX whose dialplan hands a call to nobody over FastAGI, and that can be wrong in many ways."""

    def __init__(self) -> None:
        super().__init__()
        self.tls: ssl.SSLContext | None = None
        self.values = dict(HEALTHY)
        self.actions = dict(ACTIONS)
        self.states = {"PJSIP/carrier": "NOT_INUSE", "PJSIP/4200": "NOT_INUSE"}
        self.skew = timedelta()
        self.unplayable: set[str] = set()
        self.dtmf = "200 result=0\n"
        self.is_reaching = True
        self.has_agi = True
        self.recording = ""
        self.silent_events: set[str] = set()
        self.needless_events: tuple[str, ...] = ()
        self.answers |= {
            "Getvar": lambda _, asked: (
                f"Response: Success\r\nValue: {self.values.get(asked['Variable'], '')}"
            ),
            "Ping": lambda _, asked: f"Response: Success\r\nPing: Pong\r\nTimestamp: {self.time}",
            "ListCommands": lambda _, asked: "\r\n".join(
                ("Response: Success", *(f"{name}: {text}" for name, text in self.actions.items()))
            ),
            "DeviceStateList": lambda _, asked: self.list_states(asked),
            "Originate": lambda _, asked: self.place(asked),
        }

    @property
    def time(self) -> float:
        return (datetime.now(UTC) + self.skew).timestamp()

    def list_states(self, asked: Message) -> None:
        tag = f"ActionID: {asked['ActionID']}\r\n"
        self.say(f"Response: Success\r\nEventList: start\r\n{tag}\r\n")
        for device, state in self.states.items():
            self.say(f"Event: DeviceStateChange\r\n{tag}Device: {device}\r\nState: {state}\r\n\r\n")
        self.say(f"Event: DeviceStateListComplete\r\n{tag}EventList: Complete\r\n\r\n")

    def place(self, asked: Message) -> str:
        task = asyncio.create_task(self.walk(asked))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return "Response: Success\r\nMessage: Originate successfully queued"

    def tell(self, name: str, **headers: str) -> None:
        if name not in self.silent_events:
            self.event(name, **headers)

    async def walk(self, asked: Message) -> None:
        """Our dialplan, as Asterisk walks it."""
        for name in ("Newstate", "DialBegin", "DialState", "DialEnd", *self.needless_events):
            self.tell(name, Uniqueid=asked["ChannelId"])
        is_answered = self.is_reaching and await self.connect(asked)
        # What Playback does once AGI has failed.
        is_answered = is_answered or (self.has_agi and "VOICEGATE_APOLOGY=" in asked["Variable"])
        response = "Success" if is_answered else "Failure"
        self.tell("OriginateResponse", Response=response, ActionID=asked["ActionID"])
        self.tell("HangupRequest", Uniqueid=asked["OtherChannelId"])
        self.tell("Hangup", Uniqueid=asked["OtherChannelId"])

    async def connect(self, asked: Message) -> bool:
        variable = dict(line.split("=", 1) for line in asked["Variable"].split("\n"))
        place, _, script = variable["VOICEGATE_AGI"].removeprefix("agi://").partition("/")
        host, _, port = place.rpartition(":")
        try:
            caller = AgiCaller(*await asyncio.open_connection(host, int(port)))
        except OSError:
            return False
        AgiCaller.dialed.append(caller)
        caller.send(f"agi_network_script: {script}\nagi_uniqueid: {asked['OtherChannelId']}\n")
        caller.send(f"agi_arg_1: {variable['VOICEGATE_TOKEN']}\n\n")
        is_answered = False
        while command := await caller.command():
            is_answered = is_answered or command == "ANSWER"
            caller.send(self.reply(command))
            if command == "HANGUP":
                break
        caller.hang_up()
        return is_answered

    def reply(self, command: str) -> str:
        if command.startswith("EXEC SendDTMF"):
            return self.dtmf
        if command.startswith("GET VARIABLE"):
            return f"200 result=1 ({self.recording})\n" if self.recording else "200 result=0\n"
        if command.startswith("STREAM FILE"):
            is_played = command.split('"')[1] not in self.unplayable
            return "200 result=0 endpos=4000\n" if is_played else "200 result=-1 endpos=0\n"
        return "200 result=0\n"
