"""The real servers that stores are tested with: S3 (rclone, Ceph), SFTP (OpenSSH) and HTTP (nginx).

`fixtures` is what tests use. Each kind of server runs once for all workers of a test run: `keeper` is the process that
holds it, `shared` is how a worker joins. Between a test and a server that speaks HTTP there is a proxy of the test's
own (`http_proxy`): it writes down every request as the server got it, and makes go wrong what the test asks for.
`tcp_proxy` does the same for connections of any kind. `latency` is a program for measurements.
"""
