"""A rep's softphone in a few lines: pulls a lead, says who it is, records how the call went.

    python tests/softphone.py SERVER TOKEN_FILE REP

Needs grpcio and grpcio-tools; the stubs are generated from proto/ on the fly.
"""

import pathlib
import sys
import tempfile
import time
import uuid

import grpc
import grpc_tools
from grpc_tools import protoc

PROTO = pathlib.Path(__file__).resolve().parent.parent / "proto"


def stubs():
    """Generates the Python code of rep_service.proto and imports it."""
    out = tempfile.mkdtemp()
    known = pathlib.Path(grpc_tools.__file__).parent / "_proto"
    files = ["nextlead/v1/types.proto", "nextlead/v1/rep_service.proto"]
    command = ["protoc", f"-I{PROTO}", f"-I{known}", f"--python_out={out}", f"--grpc_python_out={out}"]
    if protoc.main(command + files) != 0:
        raise SystemExit("could not generate the stubs")
    sys.path.insert(0, out)
    from nextlead.v1 import rep_service_pb2, rep_service_pb2_grpc, types_pb2

    return rep_service_pb2, rep_service_pb2_grpc, types_pb2


def main(server, token_file, rep_id):
    messages, services, types = stubs()
    token = pathlib.Path(token_file).read_text().strip()
    signed = [("authorization", f"Bearer {token}")]
    with grpc.insecure_channel(server) as channel:
        reps = services.RepServiceStub(channel)

        pulled = reps.NextLead(
            messages.NextLeadRequest(rep_id=rep_id, request_id=str(uuid.uuid4())),
            metadata=signed,
        )
        if pulled.WhichOneof("answer") == "nothing":
            raise SystemExit(f"nothing to call: {pulled.nothing}")
        served = pulled.served
        print(f"call {served.lead.name} on {served.lead.numbers[0].number}", flush=True)

        touch = messages.RecordTouchRequest(
            rep_id=rep_id,
            lead=types.LeadRef(lead_id=served.lead.lead_id),
            touch_id=str(uuid.uuid4()),
            lease_token=served.lease_token,
            channel=types.CHANNEL_CALL,
            direction=types.DIRECTION_OUTBOUND,
            number=served.lead.numbers[0].number,
            disposition=types.DISPOSITION_NO_ANSWER,
        )
        touch.start_time.FromMilliseconds(int(time.time() * 1000) - 20)
        touch.end_time.FromMilliseconds(int(time.time() * 1000) - 10)
        recorded = reps.RecordTouch(touch, metadata=signed)
        print(f"recorded, late={recorded.late}, now {recorded.state.standing.WhichOneof('standing')}")


if __name__ == "__main__":
    main(*sys.argv[1:])
