package sidecar

import (
	"crypto/x509"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/authsome/authsome/auth"
	"github.com/authsome/authsome/ca"
	"github.com/authsome/authsome/intercept"
	"github.com/authsome/authsome/internal/audit"
	"github.com/authsome/authsome/internal/rejection"
	"github.com/authsome/authsome/metrics"
	"github.com/authsome/authsome/providers"
	"github.com/authsome/authsome/routing"
	"github.com/authsome/authsome/secret"
	"github.com/authsome/authsome/vault"
)

// Options configure a [Sidecar]. Auth, Vault, Providers and Authority are required.
type Options struct {
	Auth      *auth.Auth
	Vault     *vault.Vault
	Providers func() (*providers.Set, error) // reads the definitions; called at start and at every reload
	Authority *ca.Authority
	Routing   routing.Options
	Profile   string // for the audit log

	// Settings of the proxy; see [intercept.Proxy].
	Token           secret.String
	RequireToken    bool
	Private         bool
	Captured        []net.Listener // served from Start to Drain; if Start fails, they are still the caller's
	Capture         intercept.Capture
	Fence           *intercept.Fence
	ConnectTo       []intercept.ConnectTo
	UpstreamRoots   *x509.CertPool
	UpstreamProxy   func(*url.URL) (*url.URL, error)
	ResponseTimeout time.Duration
	AllowPrivate    bool
	Own             []net.Addr // where else this process listens
	Fix             intercept.Fixes
	Self            http.Handler

	Metrics *metrics.Metrics // for this sidecar alone; nil keeps none
	Audit   *audit.Log       // nil records nothing
	Usage   *Usage           // counts what clients do; nil counts nothing
	// Rejections are stored here, for other processes. Without a directory, they are only
	// in the metrics.
	Rejections rejection.Store
	// AuditRequired refuses requests that need a credential while the audit log
	// cannot be written.
	AuditRequired bool
	Log           *slog.Logger // nil discards
}

// New makes a sidecar. It sets the callbacks of Auth, Vault and Authority, which
// must not be in use by another goroutine, and registers the metrics of the proxy.
func New(o Options) *Sidecar {
	if o.Metrics == nil {
		o.Metrics = metrics.New(prometheus.NewRegistry())
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	s := &Sidecar{
		auth: o.Auth, vault: o.Vault, providers: o.Providers, authority: o.Authority, routing: o.Routing,
		metrics: o.Metrics, usage: o.Usage, audit: o.Audit, auditRequired: o.AuditRequired, log: o.Log, profile: o.Profile,
		routed: make(map[connectionKey]auth.Connection),
		failed: make(chan error, 1),
	}
	s.strangers.report = s.recordStrangers
	s.rejections.store, s.rejections.log = o.Rejections, o.Log
	s.proxy = &intercept.Proxy{
		Routes: s.table.Load, Authority: o.Authority, Credentials: credentials{s}, Record: s.record, Fix: o.Fix, Log: o.Log,
		Token: o.Token, RequireToken: o.RequireToken, Private: o.Private, Captured: o.Captured, Capture: o.Capture, Fence: o.Fence, ConnectTo: o.ConnectTo, UpstreamRoots: o.UpstreamRoots,
		UpstreamProxy: o.UpstreamProxy, ResponseTimeout: o.ResponseTimeout, AllowPrivate: o.AllowPrivate, Own: o.Own, Self: o.Self,
	}
	refreshes := RefreshReport{Profile: o.Profile, Metrics: o.Metrics, Log: o.Log}
	if o.Audit != nil {
		refreshes.Record = o.Audit.Record
	}
	refreshes.Attach(o.Auth)
	s.vault.OnOperation = s.metrics.VaultOperation
	s.authority.OnMint = s.metrics.Leaf
	s.metrics.Active(func() int { return s.proxy.Stats().Connections }, func() int { return s.proxy.Stats().Tunnels })
	s.metrics.Rejections(s.rejections.current)
	s.metrics.AuditFailures(func() uint64 {
		if s.audit == nil {
			return 0
		}
		return s.audit.Failures()
	})
	return s
}
