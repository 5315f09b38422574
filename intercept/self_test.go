package intercept

import (
	"io"
	"testing"

	"github.com/authsome/authsome/routing"
)

// The proxy itself answers for [SelfHost] over TLS, also if all hosts without a route
// are denied, and sends nothing upstream.
func TestProxyAnswersForItself(t *testing.T) {
	for _, deny := range []bool{false, true} {
		r := newRig(t, func(r *rig) {
			routes := table(t, definition(t, routedHost), ready, routing.Options{DenyUnmatched: deny})
			r.Proxy.Routes = func() *routing.Table { return routes }
		})
		response, err := r.client().Get("https://" + SelfHost + "/any/path")
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(response.Body)
		response.Body.Close()
		if err != nil || response.StatusCode != 200 || string(body) != SelfAnswer {
			t.Errorf("%d %q, %v", response.StatusCode, body, err)
		}
		if seen := r.requests(); len(seen) != 0 {
			t.Errorf("%d requests went upstream", len(seen))
		}
		if _, err := r.client().Get("https://" + SelfHost + ":444/"); err == nil {
			t.Error("another port is answered too")
		}
	}
}
