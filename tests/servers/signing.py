"""A raw S3 client: one signed request over http.client, for tests that look at the server itself."""

from __future__ import annotations

import http.client
from dataclasses import dataclass

from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from servers.ports import HOST


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True, kw_only=True, slots=True)
class RawS3:
    """Sends requests signed with a key, each over a connection of its own."""

    port: int
    access_key_id: str
    secret_access_key: str
    region: str

    def send(self, method: str, target: str, body: bytes = b"", headers: dict[str, str] | None = None) -> Answer:
        request = AWSRequest(method, f"http://{HOST}:{self.port}{target}", headers=headers or {}, data=body)
        credentials = Credentials(self.access_key_id, self.secret_access_key)
        S3SigV4Auth(credentials, "s3", self.region).add_auth(request)
        connection = http.client.HTTPConnection(HOST, self.port, timeout=60)
        try:
            connection.request(method, target, body=body, headers=dict(request.headers.items()))
            response = connection.getresponse()
            headers = {name.lower(): value for name, value in response.getheaders()}
            return Answer(status=response.status, headers=headers, body=response.read())
        finally:
            connection.close()
