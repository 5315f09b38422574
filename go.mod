module github.com/authsome/authsome

go 1.26.0

// Asked for: what the program is made of.
require (
	github.com/AdguardTeam/gomitmproxy v0.2.1 // serves CONNECT; the one version the module proxy has, so pinned by hand
	github.com/dgraph-io/badger/v4 v4.9.6 // the store under the vault; from 4.9.4 on a deleted record stays deleted
	github.com/prometheus/client_golang v1.25.0 // metrics
	github.com/spf13/cobra v1.10.2 // command line
	golang.org/x/oauth2 v0.37.0 // PKCE, and TokenSource for Go programs
)

// What the standard library does not have.
require (
	filippo.io/age v1.3.2 // the format of backups
	github.com/aws/aws-sdk-go-v2 v1.48.0 // AWS Signature Version 4
	github.com/go-json-experiment/json v1.27.2 // strict JSON that keeps unknown members and tells where an error is
	github.com/gofrs/flock v0.13.2 // locks between processes
	github.com/google/renameio/v2 v2.0.2 // files that are replaced whole
	github.com/ncruces/go-sqlite3 v0.37.0 // the vaults of a Python authsome
	github.com/spf13/pflag v1.0.9 // the flags of the command line, as cobra has them
	github.com/zalando/go-keyring v0.2.8 // the master key in the system's keyring
	go.yaml.in/yaml/v3 v3.0.5 // OpenAPI documents; the command line brings it along
	golang.org/x/crypto v0.58.0 // Argon2id, for a passphrase
	golang.org/x/crypto/x509roots/fallback v0.0.0-20261030153154-30a33513ff6d // roots for an image that has none
	golang.org/x/net v0.62.0 // IDNA, public suffixes, SOCKS, rules for header fields, DNS messages, packet filters
	golang.org/x/sync v0.24.0 // one flight a key, and a limit on checks at a time
	golang.org/x/sys v0.49.0 // whose a connection is, by inet_diag; namespaces, mounts and filters for isolated commands
	golang.org/x/term v0.47.0 // prompts without echo
	golang.org/x/text v0.43.0 // characters that servers take for ASCII ones
	google.golang.org/protobuf v1.36.12 // the manifest of a store; badger's own form
	rsc.io/qr v0.2.0 // the code of a device login, to be photographed
	software.sslmate.com/src/go-pkcs12 v0.7.4 // trust stores for Java
)

// Tests only.
require (
	github.com/creack/pty v1.1.24 // a terminal for what is typed
	github.com/google/go-cmp v0.7.0 // differences of structures
	github.com/rogpeppe/go-internal v1.16.0 // testscript
	github.com/santhosh-tekuri/jsonschema/v6 v6.0.3 // the published schema, held to by somebody else's validator
	golang.org/x/tools v0.52.0 // the types of every package, to find exported names that nothing uses
)

require (
	filippo.io/hpke v0.4.0 // indirect
	github.com/AdguardTeam/golibs v0.4.0 // indirect
	github.com/aws/smithy-go v1.28.9 // indirect
	github.com/beorn7/perks v1.0.1 // indirect
	github.com/cespare/xxhash/v2 v2.3.0 // indirect
	github.com/danieljoos/wincred v1.2.3 // indirect
	github.com/dgraph-io/ristretto/v2 v2.2.0 // indirect
	github.com/dustin/go-humanize v1.0.1 // indirect
	github.com/go-logr/logr v1.4.3 // indirect
	github.com/go-logr/stdr v1.2.2 // indirect
	github.com/godbus/dbus/v5 v5.2.2 // indirect
	github.com/google/flatbuffers v25.2.10+incompatible // indirect
	github.com/inconshreveable/mousetrap v1.1.0 // indirect
	github.com/klauspost/compress v1.20.1 // indirect
	github.com/kylelemons/godebug v1.1.0 // indirect
	github.com/munnerz/goautoneg v0.0.0-20191010083416-a7dc8b61c822 // indirect
	github.com/ncruces/go-sqlite3-wasm/v6 v6.5.35401 // indirect
	github.com/ncruces/julianday v1.0.0 // indirect
	github.com/pkg/errors v0.9.1 // indirect
	github.com/prometheus/client_model v0.6.3 // indirect
	github.com/prometheus/common v0.72.0 // indirect
	github.com/prometheus/procfs v0.22.0 // indirect
	go.opentelemetry.io/auto/sdk v1.2.1 // indirect
	go.opentelemetry.io/otel v1.41.0 // indirect
	go.opentelemetry.io/otel/metric v1.41.0 // indirect
	go.opentelemetry.io/otel/trace v1.41.0 // indirect
	golang.org/x/mod v0.42.0 // indirect
)
