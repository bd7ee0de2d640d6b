"""A rep's softphone: pulls a lead, shows who to call, records how the call went, goes on to the next.

Usage: python softphone.py SERVER TOKEN_FILE    (the token of a rep; needs grpcio and grpcio-tools)
"""
import pathlib, sys, uuid
import grpc

sys.path.insert(0, "proto")  # the folder with nextlead's API
rep_api, services = grpc.protos_and_services("nextlead/v1/rep_service.proto")
types = grpc.protos("nextlead/v1/types.proto")


def work(server, token_file):
    token = pathlib.Path(token_file).read_text().strip()
    metadata = [("authorization", f"Bearer {token}")]
    with grpc.insecure_channel(server) as channel:  # with TLS: grpc.secure_channel
        reps = services.RepServiceStub(channel)
        pull = rep_api.NextLeadRequest(request_id=str(uuid.uuid4()))
        pull.wait_duration.FromSeconds(2)  # up to 60: a fresh lead reaches an idle rep at once
        answer = reps.NextLead(pull, metadata=metadata)
        served = answer.served if answer.HasField("served") else None
        while served:
            number = served.lead.numbers[0].number
            touch = rep_api.RecordTouchRequest(
                lead=types.LeadRef(lead_id=served.lead.lead_id), lease_token=served.lease_token,
                touch_id=str(uuid.uuid4()), number=number, then_next=True,
                channel=types.CHANNEL_CALL, direction=types.DIRECTION_OUTBOUND)
            touch.start_time.GetCurrentTime()
            said = input(f"call {served.lead.name} on {number}: ")  # no_answer, sale, ...
            touch.disposition = types.Disposition.Value(f"DISPOSITION_{said.strip().upper()}")
            touch.end_time.GetCurrentTime()
            recorded = reps.RecordTouch(touch, metadata=metadata, timeout=10)
            print(f"now {recorded.state.standing.WhichOneof('standing')}")
            served = recorded.next_served if recorded.HasField("next_served") else None
        print("nothing to call")


work(*sys.argv[1:])
