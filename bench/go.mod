module github.com/authsome/authsome/bench

go 1.26.0

require (
	github.com/AdguardTeam/gomitmproxy v0.2.1
	github.com/elazarl/goproxy v1.9.3
	golang.org/x/sys v0.49.0
)

require (
	github.com/AdguardTeam/golibs v0.4.0 // indirect
	github.com/pkg/errors v0.9.1 // indirect
	golang.org/x/net v0.50.0 // indirect
	golang.org/x/text v0.34.0 // indirect
)
