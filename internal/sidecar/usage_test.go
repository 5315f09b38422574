package sidecar

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/authsome/authsome/intercept"
	"github.com/authsome/authsome/providers"
	"github.com/authsome/authsome/routing"
)

// Each exchange counts as what a person would call it, and those of strangers and of the
// proxy's own page do not count.
func TestUsage(t *testing.T) {
	var u Usage
	if diff := cmp.Diff(Report{}, u.Report()); diff != "" {
		t.Errorf("before any exchange:\n%s", diff)
	}
	request := func(host, provider string, change func(*intercept.Exchange)) intercept.Exchange {
		x := intercept.Exchange{Kind: intercept.KindRequest, Host: host, Provider: provider, Connection: "default", Status: 200}
		change(&x)
		return x
	}
	injected := func(status int) func(*intercept.Exchange) {
		return func(x *intercept.Exchange) { x.Injected, x.Reason, x.Status = true, routing.Matched, status }
	}
	presented := func(p providers.Presented) func(*intercept.Exchange) {
		return func(x *intercept.Exchange) { injected(200)(x); x.Presented = p }
	}
	code := func(c intercept.Code) func(*intercept.Exchange) {
		return func(x *intercept.Exchange) { x.Code = c }
	}
	all := []intercept.Exchange{
		request("a.test", "a", presented(providers.PresentedOwn)), request("a.test", "a", injected(401)), request("b.test", "b", injected(401)), request("b.test", "b", presented(providers.PresentedOwn)),
		request("a.test", "a", presented(providers.PresentedPlaceholder)), request("c.test", "c", injected(401)), request("a.test", "a", func(x *intercept.Exchange) { injected(0)(x); x.Code = intercept.CodeUpstreamTLS }),
		request("a.test", "a", code(intercept.CodeLoginRequired)), request("a.test", "", code(intercept.CodeBadRequest)), request("a.test", "a", code(intercept.CodeLoginRequired)),
		request("d.test", "d", func(x *intercept.Exchange) { x.Reason = routing.PathOutside }),
		request("evil.test", "", func(x *intercept.Exchange) { x.Kind, x.Code = intercept.KindRefused, intercept.CodeHostDenied }),
		request("10.0.0.1", "", func(x *intercept.Exchange) { x.Kind, x.Code = intercept.KindPlain, intercept.CodePrivateTarget }),
		request("db.test", "", func(x *intercept.Exchange) {
			x.Kind, x.Code, x.Port = intercept.KindRefused, intercept.CodeNotAllowed, 5432
		}),
		request("2001:db8::1", "", func(x *intercept.Exchange) {
			x.Kind, x.Code, x.Port = intercept.KindRefused, intercept.CodeTargetUnknown, 443
		}),
		request("gone.test", "", func(x *intercept.Exchange) { x.Kind, x.Code = intercept.KindRefused, intercept.CodeUpstreamUnreachable }),
		request("pypi.test", "", func(x *intercept.Exchange) { x.Kind = intercept.KindTunnel }),
		request("a.test", "", func(x *intercept.Exchange) { x.Kind = intercept.KindUnused }), request("e.test", "", func(x *intercept.Exchange) { x.Kind = intercept.KindUnused }),
		request("", "", func(x *intercept.Exchange) {
			x.Kind, x.Stranger, x.Code = intercept.KindRefused, true, intercept.CodeNotYourProxy
		}),
		request(intercept.SelfHost, "", func(x *intercept.Exchange) {}),
	}
	for _, x := range all {
		u.count(&x)
	}
	want := Report{
		Seen: true, Requests: 11,
		Injected:   []Count[string]{{"a", 4}, {"b", 2}, {"c", 1}},
		Refused:    []Count[intercept.Code]{{intercept.CodeLoginRequired, 2}, {intercept.CodeBadRequest, 1}},
		Failed:     []Count[intercept.Code]{{intercept.CodeUpstreamTLS, 1}},
		Blocked:    []Count[string]{{"10.0.0.1", 1}, {"evil.test", 1}},
		NotAllowed: []Count[string]{{"[2001:db8::1]:443", 1}, {"db.test:5432", 1}},
		Own:        []Count[string]{{"b", 1}},
		Without:    []Count[Without]{{Without{"d", routing.PathOutside}, 1}},
		Unused:     []Count[string]{{"e.test", 1}},
		Rejected:   []Rejected{{"c", "default"}},
	}
	if diff := cmp.Diff(want, u.Report()); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// Clients cannot make the report grow without limit.
func TestUsageIsBounded(t *testing.T) {
	var u Usage
	for i := range 10 * usageLimit {
		u.count(&intercept.Exchange{Kind: intercept.KindRefused, Host: fmt.Sprint(i, ".test"), Code: intercept.CodeHostDenied})
	}
	blocked := u.Report().Blocked
	if n := len(blocked); n != usageLimit+1 || blocked[0] != (Count[string]{manyHosts, 9 * usageLimit}) {
		t.Errorf("%d hosts, first %v", n, blocked[0])
	}
}
