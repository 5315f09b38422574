package sidecar

import (
	"log/slog"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Admin returns the handler of the admin port: metrics, health, readiness, and the
// authority's certificate. It contains no secret, because anyone who can reach the
// port can read all of it.
func (s *Sidecar) Admin(g prometheus.Gatherer) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(g, promhttp.HandlerOpts{ErrorLog: slog.NewLogLogger(s.log.Handler(), slog.LevelError)}))
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { writeText(w, http.StatusOK, "ok") })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		if err := s.readiness(); err != nil {
			// The cause is only in the log: the client may be anyone.
			writeText(w, http.StatusServiceUnavailable, "not ready: see the log")
			return
		}
		writeText(w, http.StatusOK, "ready")
	})
	mux.HandleFunc("GET /ca.pem", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/x-pem-file")
		w.Write(s.authority.CertificatePEM())
	})
	return mux
}

func writeText(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	w.Write([]byte(text + "\n"))
}

// AdminServer makes a server for [Sidecar.Admin], with the limits that a port open
// to others needs. It answers requests for addresses, names without a dot, and names.
func AdminServer(h http.Handler, names []string, log *slog.Logger) *http.Server {
	limit := newestConns{max: maxAdminConns}
	return &http.Server{
		ConnState: limit.changed,
		Handler:   checkHost(h, names), ReadHeaderTimeout: 10 * time.Second, ReadTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute,
		MaxHeaderBytes: 16 << 10, ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelInfo),
	}
}

// maxAdminConns is the most connections that the admin port keeps open.
const maxAdminConns = 32

// newestConns closes the oldest connections of a server when there are more than max:
// idle ones must not use up the descriptors that the proxy needs.
type newestConns struct {
	max int

	mu   sync.Mutex // guards all below
	open []net.Conn // oldest first
}

// changed is an http.Server's ConnState.
func (n *newestConns) changed(c net.Conn, s http.ConnState) {
	n.mu.Lock()
	defer n.mu.Unlock()
	switch s {
	case http.StateNew:
		if n.open = append(n.open, c); len(n.open) > n.max {
			n.open[0].Close()
			n.open = slices.Delete(n.open, 0, 1)
		}
	case http.StateClosed, http.StateHijacked:
		n.open = slices.DeleteFunc(n.open, func(other net.Conn) bool { return other == c })
	}
}
