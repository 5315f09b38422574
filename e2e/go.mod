// Tests of the built binary with real, unmodified clients. They are a separate
// module, so that the program does not depend on what they need.
module github.com/authsome/authsome/e2e

go 1.26.0

require (
	github.com/coder/websocket v1.8.15
	golang.org/x/net v0.60.0
	golang.org/x/sys v0.48.0
	google.golang.org/grpc v1.85.0
	google.golang.org/protobuf v1.36.12
)

require (
	golang.org/x/text v0.42.0 // indirect
	google.golang.org/genproto/googleapis/rpc v0.0.0-20260817212433-ac3dfec99bb1 // indirect
)
