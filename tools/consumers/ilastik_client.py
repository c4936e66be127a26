"""Runs a package in a tiktorch server: PYTHON ilastik_client.py ZIP ID FILE, in its environment.

Starts the server, sends the file, an image of four axes as NumPy wrote it, and replaces it with the
result.
"""

# pyright: reportMissingImports=false, reportMissingModuleSource=false

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import grpc
import numpy as np
from tiktorch.converters import numpy_to_pb_tensor, pb_tensor_to_numpy
from tiktorch.proto import inference_pb2, inference_pb2_grpc, utils_pb2

_AXES = ("batch", "channel", "y", "x")
_LARGEST_MESSAGE = 100 * 1024 * 1024  # as the server has it


def main(package: Path, input_id: str, file: Path) -> None:
    """Restore a file in place with a server of its own.

    Parameters
    ----------
    package
        A zip.
    input_id
        Of the package's input.
    file
        The image.
    """
    with tempfile.TemporaryDirectory() as temporary:
        told = Path(temporary, "connection.json")
        server = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "tiktorch.server",
                "--port",
                "0",
                "--connection-file",
                str(told),
            ],
            stdout=subprocess.DEVNULL,
        )
        try:
            while not (told.exists() and told.read_text()):
                if server.poll() is not None:
                    raise RuntimeError("the server ended before it was ready")
                time.sleep(0.1)
            where = json.loads(told.read_text())
            _send(f"{where['addr']}:{where['port']}", package, input_id, file)
        finally:
            server.terminate()
            server.wait()


def _send(address: str, package: Path, input_id: str, file: Path) -> None:
    sizes = [
        ("grpc.max_send_message_length", _LARGEST_MESSAGE),
        ("grpc.max_receive_message_length", _LARGEST_MESSAGE),
    ]
    with grpc.insecure_channel(address, options=sizes) as channel:
        stub = inference_pb2_grpc.InferenceStub(channel)
        blob = inference_pb2.Blob(format="zip", content=package.read_bytes())
        request = inference_pb2.CreateModelSessionRequest(model_blob=blob, deviceIds=["cpu"])
        session = stub.CreateModelSession(request)
        tensor = numpy_to_pb_tensor(input_id, np.load(file), axistags=_AXES)
        asked = utils_pb2.PredictRequest(modelSessionId=session, tensors=[tensor])
        try:
            np.save(file, pb_tensor_to_numpy(stub.Predict(asked).tensors[0]))
        except grpc.RpcError as error:
            sys.exit(" ".join(str(error.details()).split()))
        finally:
            stub.CloseModelSession(session)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3]))
